"""
Pages of fax through the gateway: spandsp at both ends, and OpenSSL's command or
aiortc where the UE speaks DTLS.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.deadline import until
from tests.peers.faxchannel import FaxChannel
from tests.peers.faxline import HOST, Tap, Wire, bound, transmit
from tests.peers.faxpage import makePage, pixels
from tests.peers.gateway import Gateway
from tests.peers.ng import NG
from tests.peers.openssl import Credentials, Pipe
from tests.peers.peers import OPENSSL, SPANDSP, TIFFCP, TSHARK, needs
from tests.peers.process import Process
from tests.peers.spandsp import FaxMachine

#: How many datagrams are lost on each hop with weather.
LOSS = 0.05
#: How much faster than real time the other pages go.
SPEED = 8
#: How long a page may take, in our time: T.30 says no page takes longer.
PATIENCE = 120.0
_CERTIFICATES = """
[dtls]
certificate = "ours.crt"
key = "ours.key"
rsa_certificate = "rsa.crt"
rsa_key = "rsa.key"
"""
_ATTRIBUTES = (
    "T38FaxVersion:0",
    "T38MaxBitRate:14400",
    "T38FaxRateManagement:transferredTCF",
    "T38FaxMaxBuffer:1800",
    "T38FaxMaxDatagram:400",
    "T38FaxUdpEC:t38UDPRedundancy",
)


def describe(port: int, proto: str = "udptl", *lines: str) -> str:
    """
    What a terminal says.
    """
    head = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
    own = [f"a={line}" for line in (*lines, *_ATTRIBUTES)]
    return "\r\n".join([*head, f"m=image {port} {proto} t38", *own, ""])


def portOf(sdp: str) -> int:
    """
    Where the gateway is.
    """
    return int(re.findall(r"m=\S+ (\d+)", sdp)[0])


class FaxTestCase(SynchronousTestCase):
    """
    A gateway, and a machine in the core.
    """

    def setUp(self) -> None:
        """
        Start it, and make a page.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        (self.directory / "gateway").mkdir()
        self.ours = Credentials(self.directory / "gateway", "ours")
        self.rsa = Credentials(self.directory / "gateway", "rsa", rsa=True)
        self.gateway = Gateway(self.directory / "gateway", _CERTIFICATES, 100)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.page = makePage(self.directory)
        self.received = self.directory / "received.tif"
        self.core = Wire(seed=2)
        self.addCleanup(self.core.end)

    def ask(self, command: str, sdp: str, **keys: Any) -> str:
        """
        What the gateway makes of a description.
        """
        tags = {"call_id": "fax", "from_tag": "ann"} | ({"to_tag": "bob"} if command == "answer" else {})
        reply = self.ng.command(command, **tags, sdp=sdp, ICE="remove", **keys)
        self.assertEqual(reply["result"], "ok", reply)
        return str(reply["sdp"])

    def machines(
        self, ue: Any, *, toCore: bool = True, parity: bool = False
    ) -> tuple[FaxMachine, FaxMachine]:
        """
        Two of them.

        @param ue: what the first one sends with.
        @param toCore: whether it is the one with the page.
        """
        sends, receives = {"page": self.page}, {"receive": self.received}
        pair = (
            FaxMachine(ue.send, **(sends if toCore else receives), parity=parity),
            FaxMachine(self.core.send, **(receives if toCore else sends), parity=parity),
        )
        for machine in pair:
            self.addCleanup(machine.end)
        return pair

    def assertPage(self, *machines: FaxMachine) -> None:
        """
        The page that came is the one that was sent.
        """
        self.assertEqual([machine.result for machine in machines], [0, 0])
        self.assertEqual([machine.malformed for machine in machines], [0, 0])
        for machine in machines:
            machine.end()
        self.assertEqual(pixels(self.received), pixels(self.page))


@needs(SPANDSP, TIFFCP, OPENSSL)
class PlainTests(FaxTestCase):
    """
    Plain UDPTL on both sides.
    """

    def call(self, loss: float) -> Wire:
        """
        A call between two machines.

        @return: the caller's wire.
        """
        self.core.end()
        self.core, ue = Wire(loss, seed=2), Wire(loss, seed=3)
        self.addCleanup(self.core.end)
        self.addCleanup(ue.end)
        offer = self.ask("offer", describe(ue.port), direction=["access", "core"])
        self.core.remote = (HOST, portOf(offer))
        ue.remote = (HOST, portOf(self.ask("answer", describe(self.core.port))))
        return ue

    def test_realTime(self) -> None:
        """
        A page in real time, with a loss of 5 % on either hop that redundancy
        makes up for.
        """
        ue = self.call(LOSS)
        caller, called = self.machines(ue)
        transmit([(caller, ue.socket), (called, self.core.socket)], seconds=PATIENCE)
        self.assertPage(caller, called)
        self.assertGreater(ue.lost, 0)
        self.assertGreater(called.codec.recovered, 0)

    def test_parity(self) -> None:
        """
        Parity passes as redundancy does; the page goes the other way.
        """
        ue = self.call(0.02)
        caller, called = self.machines(ue, toCore=False, parity=True)
        transmit([(caller, ue.socket), (called, self.core.socket)], speed=SPEED, seconds=PATIENCE)
        self.assertPage(caller, called)


class DTLSTestCase(FaxTestCase):
    """
    A UE with DTLS (RFC 7345), plain UDPTL in the core.

    @ivar callID: what the gateway knows the call by.
    """

    callID = "fax"

    def setUp(self) -> None:
        """
        Have the UE's certificate, and somebody between it and the gateway.
        """
        super().setUp()
        self.credentials = Credentials(self.directory, "ue", rsa=True)
        self.tap = Tap()
        self.addCleanup(self.tap.end)
        self.trusted = self.directory / "trusted.pem"
        self.trusted.write_text(self.ours.certificate.read_text() + self.rsa.certificate.read_text())

    def lines(self, setup: str, fingerprint: str = "") -> tuple[str, ...]:
        """
        What the UE says of DTLS.
        """
        return (
            "3ge2ae:requested",
            f"setup:{setup}",
            f"fingerprint:{fingerprint or self.credentials.fingerprint}",
            "tls-id:abcdefghijklmnopqrst",
        )

    def call(self, setup: str, fingerprint: str = "") -> None:
        """
        The UE calls.
        """
        port = self.tap.far.getsockname()[1]
        text = describe(port, "UDP/TLS/UDPTL", *self.lines(setup, fingerprint))
        offer = self.ask("offer", text, direction=["access", "core"], e2ae="udptl-dtls")
        self.assertIn(" udptl t38", offer)
        self.core.remote = (HOST, portOf(offer))
        self.agreed(self.ask("answer", describe(self.core.port)))

    def called(self, setup: str) -> None:
        """
        The UE is called.
        """
        offer = self.ask("offer", describe(self.core.port), direction=["core", "access"], e2ae="udptl-dtls")
        for line in ("a=setup:actpass", "a=tls-id:", "a=3ge2ae:applied"):
            self.assertIn(line, offer)
        self.agreed(offer)
        text = describe(self.tap.far.getsockname()[1], "UDP/TLS/UDPTL", *self.lines(setup)[1:])
        self.core.remote = (HOST, portOf(self.ask("answer", text)))

    def agreed(self, sdp: str) -> None:
        """
        The gateway's description vouches for the certificates that we gave it.
        """
        self.assertIn(f"a=fingerprint:{self.ours.fingerprint}\r\n", sdp)
        self.assertIn(f"a=fingerprint:{self.rsa.fingerprint}\r\n", sdp)
        self.tap.gateway = (HOST, portOf(sdp))

    def client(self, *more: str, shown: bool = True) -> Pipe:
        """
        OpenSSL as the client.
        """
        version = [] if "-dtls1" in more else ["-dtls1_2"]
        where = f"{HOST}:{self.tap.near.getsockname()[1]}"
        return self.pipe("s_client", "-connect", where, *version, *more, shown=shown)

    def server(self, *more: str) -> Pipe:
        """
        OpenSSL as the server; there it has an address before anybody comes.
        """
        probe = bound()
        port = probe.getsockname()[1]
        probe.close()
        self.tap.ue = (HOST, port)
        return self.pipe("s_server", "-accept", f"{HOST}:{port}", "-Verify", "1", "-dtls1_2", *more)

    def pipe(self, *arguments: str, shown: bool = True) -> Pipe:
        """
        OpenSSL, which takes the gateway's certificates and no others.
        """
        verify = ["-CAfile", str(self.trusted), "-verify_return_error"]
        pipe = Pipe(self.directory, [*arguments, *verify], self.credentials if shown else None)
        self.addCleanup(pipe.end)
        return pipe

    def assertFax(self, pipe: Pipe, *, toCore: bool = True) -> None:
        """
        A page passes, and nothing of it in the clear.
        """
        until(lambda: self.turned(self.secured), "the handshake is done", explain=self.gateway.output)
        machines = self.machines(pipe, toCore=toCore)
        watch = (self.tap.near, self.tap.far)
        sockets = (pipe.socket, self.core.socket)
        transmit(
            list(zip(machines, sockets, strict=True)),
            speed=SPEED,
            seconds=PATIENCE,
            turn=self.tap.turn,
            watch=watch,
        )
        self.assertPage(*machines)
        self.assertOnlyRecords()
        self.assertGreater(sum(data[0] == 23 for data in self.tap.seen), 100)

    def assertOnlyRecords(self) -> None:
        """
        All that there was between the UE and the gateway is DTLS.
        """
        for data in self.tap.seen:
            self.assertIn(data[0], (20, 21, 22, 23))
            self.assertIn(data[1:3], (b"\xfe\xfd", b"\xfe\xff"))

    def turned(self, condition: Any) -> Any:
        """
        Ask after passing on what there is.
        """
        self.tap.turn()
        return condition()

    def secured(self) -> bool:
        """
        Whether the handshake is done: both sides have begun to encrypt, which
        is epoch 1 (RFC 6347 clause 4.1).
        """
        return sum(data[0] == 20 or b"\x16\xfe\xfd\0\1" in data for data in self.tap.seen) >= 2

    def assertRefused(self, reason: str) -> None:
        """
        The handshake fails, that is told, and no datagram passes in the clear.
        """
        line = f"access line 0: DTLS failed: {reason}"
        until(lambda: self.turned(lambda: line in self.gateway.output()), line, explain=self.gateway.output)
        machines = self.machines(Wire(), toCore=False)
        for _ in range(50):
            machines[1].tick()
            self.tap.turn()
        events = self.ng.command("query", call_id=self.callID)["events"]
        (failed,) = [each for each in events if each["event"] == "HandshakeFailed"]
        self.assertEqual((failed["side"], failed["line"], failed["protocol"]), ("access", 0, "DTLS"))
        self.assertIn(reason, failed["reason"])
        self.assertOnlyRecords()
        self.assertEqual([data for data in self.tap.seen if data[0] == 23], [])


@needs(SPANDSP, TIFFCP, OPENSSL, TSHARK)
class DTLSTests(DTLSTestCase):
    """
    Pages, and handshakes that must fail.
    """

    def test_active(self) -> None:
        """
        The UE calls and is the client, with nothing but one of the suites of
        RFC 7345; tshark finds T.38 in what was in the core.
        """
        capture = self.directory / "core.pcap"
        self.call("active")
        shark = Process(
            "tshark",
            ["tshark", "-i", "lo", "-f", f"udp port {self.core.port}", "-w", str(capture)],
            self.directory,
        )
        self.addCleanup(shark.end)
        until(lambda: "Capturing on" in shark.output() and capture.exists(), "tshark captures")
        self.assertFax(self.client("-cipher", "ECDHE-RSA-AES128-GCM-SHA256"))
        shark.end()
        decoded = subprocess.run(
            [
                "tshark",
                "-r",
                str(capture),
                "-d",
                f"udp.port=={self.core.port},t38",
                "-Y",
                "t38",
                "-T",
                "fields",
            ]
            + ["-e", "t38.seq_number", "-e", "_ws.col.Info"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        self.assertGreater(len(decoded), 100)
        self.assertFalse([line for line in decoded if "Malformed" in line])
        self.assertTrue([line for line in decoded if "v17-14400" in line], decoded[:50])

    def test_passive(self) -> None:
        """
        The UE calls and is the server.
        """
        pipe = self.server()
        self.call("passive")
        self.assertFax(pipe)

    def test_calledActive(self) -> None:
        """
        The UE is called, and is the client, with the other suite of RFC 7345;
        the page comes from the core.
        """
        self.called("active")
        self.assertFax(self.client("-cipher", "DHE-RSA-AES128-GCM-SHA256"), toCore=False)

    def test_calledPassive(self) -> None:
        """
        The UE is called, and is a server that has RSA alone.
        """
        pipe = self.server("-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-client_sigalgs", "RSA+SHA256")
        self.called("passive")
        self.assertFax(pipe, toCore=False)

    def test_R_33_wrongFingerprint(self) -> None:
        """
        Another certificate than the described one.
        """
        self.call("active", "sha-256 " + ":".join(["AB"] * 32))
        self.client()
        self.assertRefused("fingerprint mismatch")

    def test_R_34_noCertificate(self) -> None:
        """
        None at all.
        """
        self.call("active")
        self.client(shown=False)
        self.assertRefused("no certificate")

    def test_R_40_DTLS10(self) -> None:
        """
        DTLS 1.0.
        """
        self.call("active")
        self.client("-dtls1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertRefused("")


@needs(SPANDSP, TIFFCP, OPENSSL)
class ChannelTests(FaxTestCase):
    """
    A browser's stack with T.38 in a data channel, plain UDPTL in the core.
    """

    def test_realTime(self) -> None:
        """
        A page in real time through a channel, with a loss of 5 % in the core.
        """
        self.core.end()
        self.core = Wire(LOSS, seed=2)
        self.addCleanup(self.core.end)
        channel = FaxChannel(_ATTRIBUTES)
        self.addCleanup(channel.end)
        reply = self.ng.command(
            "offer", call_id="fax", from_tag="ann", sdp=channel.offer, direction=["access", "core"]
        )
        self.assertIn(" udptl t38", reply["sdp"])
        self.assertIn("a=T38FaxMaxDatagram:400", reply["sdp"])
        self.core.remote = (HOST, portOf(reply["sdp"]))
        reply = self.ng.command(
            "answer",
            call_id="fax",
            from_tag="ann",
            to_tag="bob",
            sdp=describe(self.core.port),
            ICE="force",
        )
        self.assertIn("a=dcsa:0 T38FaxVersion:0", reply["sdp"])
        channel.accept(reply["sdp"])
        until(lambda: channel.opened, "the channel is open", explain=self.gateway.output)
        machines = self.machines(channel)
        transmit(list(zip(machines, (channel.socket, self.core.socket), strict=True)), seconds=PATIENCE)
        self.assertPage(*machines)
        self.assertGreater(self.core.lost, 0)
