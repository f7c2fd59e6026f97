"""
The examples of the manual: a distribution with an adapter of its own, and an
application that embeds the gateway.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from e2aegw.adapter import rtp
from e2aegw.testing import MemoryNetwork, Terminal
from tests.peers.media import ready
from tests.peers.ng import NG
from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"

CONFIG = """\
[side.access]
address = "127.0.0.1"
ports = "{access}-{accessLast}"

[side.core]
address = "127.0.0.1"
ports = "{core}-{coreLast}"

[control]
ng = "127.0.0.1:{ng}"

[[route]]
access = "srtp"
core = "{adapter}"
{more}
"""

UE = """\
v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio {port} RTP/SAVP 0\r
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r
a=3ge2ae:requested\r
"""
PHONE = """\
v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
c=IN IP4 127.0.0.1\r
t=0 0\r
m=audio {port} RTP/AVP 0 101\r
a=rtpmap:101 telephone-event/8000\r
"""
#: The key 5 (RFC 4733).
DIGIT = b"\x80\x65\x00\x02" + bytes(7) + b"\x07" + b"\x05\x0a\x00\xa0"
PACKET = b"\x80\x00\x00\x01" + bytes(7) + b"\x07" + b"an example of speech"


def writeConfig(path: Path, ng: int, adapter: str = "rtp", more: str = "") -> None:
    """
    Write a configuration with free ports.
    """
    first = freeRange(40)
    path.write_text(
        CONFIG.format(
            access=first,
            accessLast=first + 19,
            core=first + 20,
            coreLast=first + 39,
            ng=ng,
            adapter=adapter,
            more=more,
        )
    )


def listen() -> socket.socket:
    """
    A telephone's socket.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(5)
    return made


def port(sdp: str) -> tuple[str, int]:
    """
    Where a description says that its party receives.
    """
    return "127.0.0.1", int(re.findall(r"m=audio (\d+) ", sdp)[0])


def passMedia(test: SynchronousTestCase, ng: NG, meanwhile: Callable[[], object] = lambda: None) -> None:
    """
    Have a UE with SDES call a telephone and press a key, and both be heard.

    @param meanwhile: what to do before they hang up.
    """
    from e2aegw.sansio.sdes import Crypto, generate
    from e2aegw.sansio.srtp import Context, Profile

    test.addCleanup(ng.close)
    ue, phone = listen(), listen()
    test.addCleanup(ue.close)
    test.addCleanup(phone.close)
    key = generate("1", Profile.AES_CM_128_HMAC_SHA1_80)
    line = str(key.line().value).partition("inline:")[2]
    offer = UE.format(port=ue.getsockname()[1], key=line)
    said = ng.command("offer", call_id="c", from_tag="a", sdp=offer)
    answer = PHONE.format(port=phone.getsockname()[1])
    heard = ng.command("answer", call_id="c", from_tag="a", to_tag="b", sdp=answer)
    sender = Context(key.keys, inbound=False)
    ue.sendto(sender.protect(PACKET), port(heard["sdp"]))
    test.assertEqual(phone.recv(2048), PACKET)
    ue.sendto(sender.protect(DIGIT), port(heard["sdp"]))
    test.assertEqual(phone.recv(2048), DIGIT)
    theirs = Crypto.parse(re.findall(r"a=crypto:(.*)\r", heard["sdp"])[0])
    phone.sendto(PACKET, port(said["sdp"]))
    test.assertEqual(Context(theirs.keys, inbound=True).unprotect(ue.recv(2048)), PACKET)
    meanwhile()
    ng.command("delete", call_id="c", from_tag="a")


class Folder(SynchronousTestCase):
    """
    Tests that need a folder.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)


class DistributionTestCase(Folder):
    """
    A distribution of its own, installed apart from everything else.

    @ivar example: its folder in C{docs/examples}.
    """

    example = ""

    def setUp(self) -> None:
        """
        Install it from its source distribution.
        """
        super().setUp()
        self.site = self.folder / "site"
        copy = self.folder / self.example
        subprocess.run(["cp", "-r", str(EXAMPLES / self.example), str(copy)], check=True)
        build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", str(copy)]
        subprocess.run(build, check=True, capture_output=True)
        [sdist] = (copy / "dist").iterdir()
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(self.site), str(sdist)]
        subprocess.run(command, check=True, capture_output=True)
        self.environment = {**os.environ, "PYTHONPATH": str(self.site)}

    def assertOwnTests(self) -> None:
        """
        The distribution's own tests pass.
        """
        name = f"test_{self.example}"
        command = [sys.executable, "-m", "twisted.trial", "--temp-directory", str(self.folder / "t"), name]
        environment = {**self.environment, "PYTHONPATH": f"{self.site}:{EXAMPLES / self.example}"}
        done = subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("PASSED", done.stdout)

    def call(self, adapter: str = "rtp", through: str = "", more: str = "") -> Process:
        """
        Start C{twistd} with the distribution beside it, and pass media.
        """
        ng = freePort()
        config = self.folder / "gateway.toml"
        writeConfig(config, ng, adapter, f"{through}\n{more}")
        twistd = Path(sys.executable).with_name("twistd")
        command = [str(twistd), "--nodaemon", "--pidfile=", "e2aegw", "-c", str(config)]
        gateway = Process("gateway", command, self.folder, environment=self.environment)
        self.addCleanup(gateway.end)
        ready(SimpleNamespace(ngPort=ng, alive=gateway.alive))
        passMedia(self, NG(ng))
        return gateway


class CaptureTests(DistributionTestCase):
    """
    An adapter.
    """

    example = "capture"

    def test_itsOwnTests(self) -> None:
        """
        They pass, the contract among them.
        """
        self.assertOwnTests()

    def test_mediaPasses(self) -> None:
        """
        C{twistd} finds it by its entry point, gives it its options, and what a
        UE protected is in the file in the clear.
        """
        captures = self.folder / "captures"
        captures.mkdir()
        self.call("capture", more=f'[adapter.capture]\nfolder = "{captures}"')
        [capture] = captures.iterdir()
        self.assertIn(PACKET, capture.read_bytes())


class DigitsTests(DistributionTestCase):
    """
    A filter.
    """

    example = "digits"

    def test_itsOwnTests(self) -> None:
        """
        They pass.
        """
        self.assertOwnTests()

    def test_mediaPasses(self) -> None:
        """
        C{twistd} finds it by its entry point, gives it its options, and media
        that passes it is looked at.
        """
        gateway = self.call(through='through = ["digits"]', more="[filter.digits]\nlog = true")
        self.assertIn("access pressed 5", gateway.output())


class _Stack:
    """
    A SIP stack, as far as the example needs one.
    """

    handler: Callable[[Any], Any]

    def onInvite(self, handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """
        Remember who handles INVITEs.
        """
        self.handler = handler
        return handler


class _Invite:
    """
    An INVITE, answered by a telephone on C{port}.
    """

    callID = "example"

    def __init__(self, sdp: str, port: int) -> None:
        self.sdp = sdp
        self.ended: Deferred[None] = Deferred()
        self.forwarded = self.accepted = ""
        self.rejected: tuple[int, str] | None = None
        self._port = port

    def whenEnded(self) -> Deferred[None]:
        """
        Fires with BYE.
        """
        return self.ended

    def forward(self, sdp: str) -> Deferred[Any]:
        """
        Send it on.
        """
        self.forwarded = sdp
        return succeed(SimpleNamespace(sdp=PHONE.format(port=self._port)))

    def accept(self, sdp: str) -> None:
        """
        200 OK.
        """
        self.accepted = sdp

    def reject(self, code: int, reason: str) -> None:
        """
        Something else.
        """
        self.rejected = (code, reason)


class EmbedTests(TestCase):
    """
    The application of fifteen lines.
    """

    async def test_call(self) -> None:
        """
        A call without any controller: media passes, and BYE frees the ports.
        """
        from e2aegw.sansio.sdes import generate
        from e2aegw.sansio.srtp import Context, Profile

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = Path(folder.name) / "e2aegw.toml"
        writeConfig(config, freePort())
        spec = spec_from_file_location("embed", EXAMPLES / "embed.py")
        assert spec is not None and spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        application, stack = MultiService(), _Stack()
        gateway = module.embed(application, stack, str(config))
        application.startService()
        self.addCleanup(application.stopService)

        ue, phone = listen(), listen()
        self.addCleanup(ue.close)
        self.addCleanup(phone.close)
        key = generate("1", Profile.AES_CM_128_HMAC_SHA1_80)
        line = str(key.line().value).partition("inline:")[2]
        invite = _Invite(UE.format(port=ue.getsockname()[1], key=line), phone.getsockname()[1])
        await stack.handler(invite)
        self.assertIn("RTP/AVP", invite.forwarded)
        self.assertIn("RTP/SAVP", invite.accepted)
        ue.sendto(Context(key.keys, inbound=False).protect(PACKET), port(invite.accepted))
        received = await self._read(phone)
        self.assertEqual(received, PACKET)
        self.assertEqual(gateway.portsLent, 2)
        invite.ended.callback(None)
        self.assertEqual(gateway.portsLent, 0)

        refused = _Invite("nonsense", 1)
        await stack.handler(refused)
        assert refused.rejected is not None
        self.assertEqual(refused.rejected[0], 488)

    def _read(self, sock: socket.socket) -> "Deferred[bytes]":
        """
        The next datagram, without keeping the reactor from its work.
        """
        from twisted.internet import reactor

        arrived: Deferred[bytes] = Deferred()
        sock.setblocking(False)

        @implementer(IReadDescriptor)
        class Reader:
            def fileno(self) -> int:
                return sock.fileno()

            def logPrefix(self) -> str:
                return "test"

            def doRead(self) -> None:
                reactor.removeReader(self)
                arrived.callback(sock.recv(2048))

            def connectionLost(self, reason: object) -> None:
                """
                See C{IReadDescriptor}.
                """

        reactor.addReader(Reader())
        return arrived


class SIPTests(SynchronousTestCase):
    """
    The switchboard's SIP stack; telephones that call through it are among the
    tests with real peers.
    """

    def setUp(self) -> None:
        """
        A stack with a transport that remembers.
        """
        self.patch(sys, "path", [str(EXAMPLES / "switchboard"), *sys.path])
        from sipstack import SIPStack

        self.stack = SIPStack("127.0.0.1", 5060)
        transport: Any = StringTransport()
        self.sent: list[bytes] = []
        transport.write = lambda data, to: self.sent.append(data)
        self.stack.makeConnection(transport)

    def request(self, method: str, *more: str) -> bytes:
        """
        A request of Ann's.
        """
        lines = [
            f"{method} sip:ben@127.0.0.1:5060 SIP/2.0",
            "v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1",
            "From: <sip:ann@127.0.0.1:5060>;tag=1",
            "t: <sip:ann@127.0.0.1:5060>",
            "Call-ID: c",
            f"CSeq: 1 {method}",
            *more,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def test_registers(self) -> None:
        """
        Who registers is known by where the datagram came from.
        """
        self.stack.datagramReceived(self.request("REGISTER"), ("127.0.0.1", 5071))
        self.assertTrue(self.sent[0].startswith(b"SIP/2.0 200 OK\r\n"))
        self.assertEqual(self.stack.contacts, {"ann": "sip:ann@127.0.0.1:5071"})

    def test_refuses(self) -> None:
        """
        What it does not know, or has nobody to tell of, it refuses.
        """
        for method, code in (("MESSAGE", 501), ("BYE", 481), ("INVITE", 503)):
            self.stack.datagramReceived(self.request(method), ("127.0.0.1", 5070))
            self.assertIn(b"SIP/2.0 %d " % code, self.sent.pop(0))
        self.assertEqual(self.stack.halves, {})

    @given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 400))
    @settings(deadline=None, max_examples=200)
    @example(b"", 172, 210)
    @example(b"", 43, 55)
    def test_garbage(self, garbage: bytes, start: int, end: int) -> None:
        """
        Any bytes are taken.
        """
        request = self.request("REGISTER", "m: <sip:ann@127.0.0.1>")
        self.stack.datagramReceived(garbage, ("127.0.0.1", 5070))
        self.stack.datagramReceived(request[:start] + garbage + request[end:], ("127.0.0.1", 5070))


class SeveralTests(SynchronousTestCase):
    """
    Several gateways in one process.
    """

    def test_two(self) -> None:
        """
        Each has calls, ports and an end of its own.
        """
        from e2aegw.gateway.config import SideConfig
        from e2aegw.gateway.service import Gateway, Route
        from e2aegw.sansio.sdp import Side

        clock = Clock()
        network = MemoryNetwork(clock)
        gateways = []
        for first in (30000, 31000):
            sides = {
                Side.ACCESS: SideConfig(addresses=(("198.51.100.1",) * 2,), ports=(first, first + 99)),
                Side.CORE: SideConfig(addresses=(("203.0.113.1",) * 2,), ports=(first, first + 99)),
            }
            gateways.append(Gateway(clock, sides, [Route(rtp.Factory(), rtp.Factory())], network=network))
        ends = [Terminal(network, f"192.0.2.{number}") for number in range(1, 5)]
        for end in ends:
            self.addCleanup(end.close)
        for gateway, one, other in zip(gateways, ends[::2], ends[1::2], strict=True):
            session = gateway.newSession("call")
            offer = self.successResultOf(session.offer(one.offer(), Side.ACCESS))
            one.accept(self.successResultOf(session.answer(other.answer(offer))))
            packet = one.sendMedia()
            network.flush()
            self.assertEqual(other.received, [packet])
        gateways[0].stopService()
        self.assertEqual([gateway.portsLent for gateway in gateways], [0, 2])
        ends[2].sendMedia(b"still here")
        network.flush()
        self.assertEqual(ends[3].received[-1][12:], b"still here")
        gateways[1].stopService()
        self.assertEqual(network.ports.keys(), {end._ports[n].address for end in ends for n in (0, 1)})
