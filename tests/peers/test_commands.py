"""
The commands, programs and configurations of the manual, run as they stand there.
L{tests.test_blocks} has the list of them.
"""

import json
import re
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.page import DOCS, Page, flatten, literal
from tests.peers.deadline import until
from tests.peers.machine import Machine, Network, script
from tests.peers.ng import NG
from tests.peers.peers import NAMESPACES, NETCAT, OPENSSL, needs
from tests.peers.ports import freePort
from tests.peers.process import Process
from tests.test_examples import PACKET, UE, passMedia

#: The addresses that the manual's gateways and servers have.
ADDRESSES = ("203.0.113.9", "10.0.0.9", "10.1.1.9", "2001:db8::9", "10.0.0.5")
#: Where most of them are controlled.
NG_PORT = 2223
#: The smallest fax: a preamble of T.38 in UDPTL, without redundancy.
FAX = b"\x00\x01\x01\x06\x00\x00"
#: What a page begins with that only has the piece in question.
SIDES = """\
[side.access]
address = "127.0.0.1"
ports = "30000-30099"
[side.core]
address = "127.0.0.1"
ports = "40000-40099"
"""
CONTROL = '[control]\nng = "127.0.0.1:2223"\n'
_FAX_PARTY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image {port} udptl t38\r\n"
)
#: What the log says when a static pipeline can be reached.
_WAITS = "pipeline "
_IMAGE = re.compile(r"m=image (\d+) ")


class MachineTestCase(SynchronousTestCase):
    """
    Tests that need a machine.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.machine = Machine(self.makeFolder())
        self.network = self.enterNetwork()

    def makeFolder(self) -> Path:
        """
        Have a folder.
        """
        made = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)
        return self.folder

    def enterNetwork(self) -> Network:
        """
        Be in a network that has all of the manual's addresses.
        """
        network = Network(*ADDRESSES)
        self.addCleanup(network.end)
        return network

    def start(self, name: str, block: str, folder: Path | None = None) -> Process:
        """
        Begin to run a block.
        """
        process = self.machine.start(name, block, folder)
        self.addCleanup(process.end)
        return process

    def started(self, process: Process, says: str = "gateway started") -> Process:
        """
        Wait until it says so.
        """
        until(lambda: process.alive() and says in process.output(), f"{says} is said", explain=process.output)
        return process

    def gateway(self, config: str, says: str = "gateway started") -> Process:
        """
        A gateway with this configuration.
        """
        (self.folder / "gateway.toml").write_text(config)
        command = f"twistd -n --pidfile= e2aegw -c {self.folder}/gateway.toml"
        return self.started(self.start("gateway", command), says)

    def ng(self, host: str = "127.0.0.1") -> NG:
        """
        A controller.
        """
        client = NG(NG_PORT, host)
        self.addCleanup(client.close)
        return client

    def bound(self, host: str, port: int = 0) -> socket.socket:
        """
        A party's socket.
        """
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.bind((host, port))
        made.settimeout(5)
        return made


@needs(NAMESPACES)
class InstallTests(MachineTestCase):
    """
    The README, where nothing is installed yet.
    """

    def setUp(self) -> None:
        """
        Make the machine.  It is in the world's network.
        """
        self.machine = Machine(self.makeFolder(), installed=False)

    def test_install(self) -> None:
        """
        Whoever follows it has a gateway that answers its proxy.
        """
        make, install, *rest = literal("README.rst")[0].splitlines()
        self.machine.run(f"{make}\n{install}")
        self.network = self.enterNetwork()
        self.started(self.start("readme", "\n".join(rest)))
        self.assertEqual(self.ng().command("ping")["result"], "pong")
        self.assertRegex(self.machine.run("/opt/e2aegw/bin/e2aegw --version"), r"^e2aegw \d+\.\d+")


@needs(NAMESPACES)
class MakeTests(MachineTestCase):
    """
    What is made.
    """

    def test_demo(self) -> None:
        """
        C{make demo} prints the address of a page, which is there.
        """
        demo, test = [
            line.partition("#")[0] for line in script(Page("index.rst").blocks("console")[0]).splitlines()
        ]
        self.assertEqual((demo.strip(), test.strip()), ("make demo", "make test"))
        process = self.started(self.start("demo", demo), "demo: http://")
        url = until(lambda: re.search(r"demo: (http://\S+/)\n", process.output()), "the address is told")[1]
        with urllib.request.urlopen(url) as page:
            self.assertIn(b"<html", page.read())

    def test_long(self) -> None:
        """
        What takes minutes is only asked of make.  C{.ci/run} does what it is about,
        and so does whoever runs this test; formatting is what C{lint} checks.
        """
        [all_] = literal("CONTRIBUTING.rst")
        for block, *parts in (
            (all_, "ruff format", "mypy", "sphinx-build", "-m tests"),
            ("make test", "-m tests"),
        ):
            self.assertRegex(block, r"^make [a-z ]+$")
            said = self.machine.run(block.replace("make", "make -n"))
            for part in parts:
                self.assertIn(part, said)
        run = (DOCS.parent / ".ci" / "run").read_text()
        self.assertRegex(run, r"(?m)^make .*lint types docs .*test ")


@needs(NAMESPACES, NETCAT)
class ExampleTests(MachineTestCase):
    """
    Adapters and filters.
    """

    def shows(self, name: str) -> list[str]:
        """
        The blocks of an example, installed and tested by the first and the last.

        @return: those between.
        """
        folder = self.machine.source / "docs" / "examples" / name
        install, *between, test = literal(f"docs/examples/{name}/README.rst")
        self.machine.run(install, folder)
        self.assertIn("PASSED", self.machine.run(test, folder))
        return between

    def test_capture(self) -> None:
        """
        The adapter, as its README has it: what a UE protected is in the file in the
        clear.
        """
        [config] = self.shows("capture")
        (self.folder / "gateway.toml").write_text(SIDES + CONTROL + config)
        command = f"mkdir /var/spool/captures\ntwistd -n --pidfile= e2aegw -c {self.folder}/gateway.toml"
        process = self.started(self.start("gateway", command))
        passMedia(self, self.ng())
        [capture] = Path("/proc", str(process.pid), "root", "var/spool/captures").iterdir()
        self.assertIn(PACKET, capture.read_bytes())

    def test_digits(self) -> None:
        """
        The filter, as its README has it: it counts what was pressed.
        """
        [config] = self.shows("digits")
        self.gateway(SIDES + CONTROL + config)
        ng = self.ng()
        counted: list[int] = []
        passMedia(self, ng, lambda: counted.append(self.digits(ng)))
        self.assertEqual(counted, [1])

    def digits(self, ng: NG) -> int:
        """
        What C{query} says of them.
        """
        said = str(ng.command("query", call_id="c"))
        return sum(map(int, re.findall(r"'digits': (\d+)", said)))

    def test_page(self) -> None:
        """
        The commands of the page on adapters.
        """
        [block] = Page("write-an-adapter.rst").blocks("console")
        self.machine.source.joinpath("gateway.toml").write_text(
            SIDES + CONTROL + '[[route]]\naccess = "srtp"\ncore = "rtp"\n'
        )
        process = self.started(self.start("page", block))
        self.assertIn("PASSED", process.output())
        self.assertEqual(self.ng().command("ping")["result"], "pong")

    def test_written(self) -> None:
        """
        The adapter that stands on the page, in a distribution with the entry point
        that the page names, is installed, routed as the page does it, and passes a
        fax.  Beside it is the page's other route, with the filter.
        """
        page = Page("write-an-adapter.rst")
        module, point = re.findall(r"``(\w+)`` with the entry point ``(\w+ = [\w:]+)``", page.flat())[0]
        folder = self.folder / module
        folder.mkdir()
        (folder / f"{module}.py").write_text(page.blocks("python")[0])
        made = f'name="{module}", py_modules=["{module}"], entry_points={{"e2aegw.adapters": ["{point}"]}}'
        (folder / "setup.py").write_text(f"from setuptools import setup\nsetup({made})\n")
        self.machine.run("pip install . ../source/docs/examples/digits", folder)
        self.gateway(SIDES + CONTROL + "".join(page.blocks("toml")))
        ng = self.ng()
        passMedia(self, ng)
        here, there = self.bound("127.0.0.1"), self.bound("127.0.0.1")
        offer, answer = [_FAX_PARTY.format(port=each.getsockname()[1]) for each in (here, there)]
        said = ng.command("offer", call_id="fax", from_tag="a", direction=["access", "core"], sdp=offer)
        heard = ng.command("answer", call_id="fax", from_tag="a", to_tag="b", sdp=answer)
        here.sendto(FAX, ("127.0.0.1", int(_IMAGE.findall(heard["sdp"])[0])))
        self.assertEqual(there.recv(2048), FAX)
        there.sendto(FAX, ("127.0.0.1", int(_IMAGE.findall(said["sdp"])[0])))
        self.assertEqual(here.recv(2048), FAX)


@needs(NAMESPACES, OPENSSL)
class ConfigureTests(MachineTestCase):
    """
    The page on the configuration.
    """

    def test_examples(self) -> None:
        """
        The gateway starts with each of its examples, on a machine that has their
        addresses.
        """
        page = Page("configure.rst")
        self.machine.run(page.blocks("console")[0], self.folder)
        for example in page.blocks("toml"):
            # Some are of a few keys.
            config = example if "[side.core]" in example else SIDES + example
            if "[[route]]" not in config:
                config += '[[route]]\naccess = "srtp"\ncore = "rtp"\n'
            self.gateway(config).end()


@needs(NAMESPACES, NETCAT, OPENSSL)
class StaticTests(MachineTestCase):
    """
    Static pipelines.
    """

    def fingerprint(self, text: str) -> str:
        """
        The page abbreviates the party's fingerprint: put all of one in its place.
        """
        command, fingerprint = script(self.blocks[1]).splitlines()[:2]
        self.machine.run(command, self.folder)
        whole = self.machine.run(f'{fingerprint}\necho "$FAX"', self.folder).strip()
        changed, count = re.subn(r"(?<=sha-256 )[0-9A-F\\:]+\.\.\.", lambda found: whole, text)
        self.assertEqual(count, 1)
        return changed

    @property
    def blocks(self) -> list[str]:
        """
        The page's commands.
        """
        return Page("static.rst").blocks("console")

    def client(self, options: str, says: bytes) -> subprocess.Popen[bytes]:
        """
        Speak through OpenSSL.
        """
        client = subprocess.Popen(
            f"openssl s_client {options} -cert fax.crt -key fax.key -quiet",
            shell=True,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert client.stdin is not None
        self.addCleanup(client.wait)
        self.addCleanup(client.terminate)
        client.stdin.write(says)
        client.stdin.flush()
        return client

    def test_commandLine(self) -> None:
        """
        The pipeline of the command line ends TLS and connects to the server.
        """
        server = socket.create_server(("10.0.0.5", 2855))
        self.addCleanup(server.close)
        server.settimeout(10)
        # The address towards the world is the only one.
        subprocess.run(["ip", "route", "add", "default", "dev", "lo", "src", "203.0.113.9"], check=True)
        self.started(self.start("gateway", self.fingerprint(self.blocks[0]), self.folder), _WAITS)
        self.client("-connect 203.0.113.9:2855", b"MSRP")
        connection, _ = server.accept()
        self.addCleanup(connection.close)
        connection.settimeout(10)
        self.assertEqual(connection.recv(100), b"MSRP")

    def test_file(self) -> None:
        """
        The pipeline of the file ends DTLS in front of the fax server.
        """
        server = self.bound("10.0.0.5", 4000)
        [config] = Page("static.rst").blocks("toml")
        sides = SIDES.replace("127.0.0.1", "203.0.113.9", 1).replace("127.0.0.1", "10.0.0.9")
        self.gateway(sides + self.fingerprint(config), _WAITS)
        self.client("-dtls -connect 203.0.113.9:4000", FAX)
        packet, source = server.recvfrom(100)
        self.assertEqual((packet, source[0]), (FAX, "10.0.0.9"))

    def test_fax(self) -> None:
        """
        The fax of the page arrives, by nothing but the page's commands.
        """
        gateway, server, terminal = self.blocks[1:4]
        process = self.started(self.start("gateway", gateway, self.folder), _WAITS)
        shown = self.start("server", server, self.folder)
        until(lambda: self.listens(4001), "the server listens")
        self.start("terminal", terminal, self.folder)
        until(lambda: bytes.fromhex(shown.output()) == FAX, "the server shows it", explain=process.output)

    def test_stranger(self) -> None:
        """
        A party that is known by its address and shows another certificate is a line
        in the log.
        """
        make, fingerprint, start = script(self.blocks[1]).splitlines()
        start = start.replace("port=4000", "port=4000:to=127.0.0.1\\\\:4002:setup=passive")
        process = self.start("gateway", f"{make}\n{fingerprint}\n{make}\n{start}", self.folder)
        self.started(process, _WAITS)
        self.client("-dtls -bind 127.0.0.1:4002 -connect 127.0.0.1:4000", FAX)
        self.started(process, "DTLS failed: fingerprint mismatch; expected sha-256 ")

    def listens(self, port: int) -> bool:
        """
        Whether somebody has a port of UDP.
        """
        return f":{port:04X} " in Path("/proc/thread-self/net/udp").read_text()


@needs(NAMESPACES, NETCAT)
class TroubleTests(MachineTestCase):
    """
    When something is wrong.
    """

    def test_query(self) -> None:
        """
        The page's commands tell how its call stands.
        """
        [block] = re.findall(r"code-block:: console\n\n((?:       .*\n)+)", Page("troubleshooting.rst").text)
        self.start("gateway", "twistd -n --pidfile= e2aegw -c tap-configs/loopback.toml")
        until(self.ng().alive, "the gateway answers")
        offer = UE.format(port=9, key="WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz")
        self.ng().command("offer", call_id="a84b4c", from_tag="a", sdp=offer)
        said = self.machine.run(re.sub("(?m)^       ", "", block))
        replies = dict(re.findall(r"(\d) (\{.*?\})(?=\d \{|$)", said))
        self.assertEqual(json.loads(replies["1"])["calls"], ["a84b4c"])
        stream = json.loads(replies["2"])["tags"]["a"]["medias"][0]["streams"][0]
        self.assertLessEqual({"endpoint", "advertised endpoint", "stats"}, set(stream))

    def test_failure(self) -> None:
        """
        What the page shows of a handshake that failed, the line of the log and the
        line for whoever listens, is what a gateway says: but for the certificate
        that was presented, and the time.
        """
        page = Page("troubleshooting.rst")
        [logged], [event] = page.blocks("none"), page.blocks("json")
        told = json.loads(event)
        listener = self.bound("127.0.0.1")
        events = f'[events]\nudp = "127.0.0.1:{listener.getsockname()[1]}"\n'
        gateway = self.gateway(SIDES + CONTROL + events + '[[route]]\naccess = "udptl"\ncore = "udptl"\n')
        names = {key: told[key] for key in ("call-id", "from-tag")}
        request = {"command": "offer", **names, "sdp": _FAX_PARTY.format(port=9)}
        request["direction"] = ["core", "access"]
        ng = self.ng()
        offer = ng.request({**request, "e2ae": "udptl-dtls"})
        self.assertIn("UDP/TLS/UDPTL", offer["sdp"])
        # Who comes from elsewhere is a stranger, and no handshake of the party's has failed.
        here = freePort()
        protected = _FAX_PARTY.format(port=here).replace(" udptl ", " UDP/TLS/UDPTL ")
        protected += (
            f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:active\r\na=3ge2ae:requested\r\n"
        )
        ng.request({"command": "answer", **names, "to-tag": told["to-tag"], "sdp": protected})
        certificate = script(Page("static.rst").blocks("console")[1]).splitlines()[:2]
        self.machine.run(certificate[0], self.folder)
        presented = self.machine.run(f'{certificate[1]}\necho "$FAX"', self.folder).replace("\\", "").strip()
        [port] = _IMAGE.findall(offer["sdp"])
        ends = f"-bind 127.0.0.1:{here} -connect 127.0.0.1:{port}"
        terminal = f"openssl s_client -dtls {ends} -cert fax.crt -key fax.key -quiet"
        self.start("terminal", terminal, self.folder)
        while (heard := json.loads(listener.recv(4096)))["event"] != told["event"]:
            pass  # something else of the same call
        self.assertEqual(list(heard), list(told))
        for each in (told, heard):
            each["time"] = type(each["time"])
        told["expected"] = told["expected"].replace("AB:AB:...", ":".join(["AB"] * 32))
        told["presented"] = told["presented"].replace("5E:0F:...", presented)
        self.assertEqual(heard, told)
        line = (
            flatten(logged).replace("AB:AB:...", told["expected"].split()[1]).replace("5E:0F:...", presented)
        )
        self.assertIn(f" {line}\n", gateway.output())
