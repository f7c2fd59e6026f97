"""
Tests for L{e2aegw.testing.terminal}.
"""

from typing import Any

import pylibsrtp
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import UsageError
from e2aegw.interfaces import Address
from e2aegw.sansio.sdp import Description
from e2aegw.testing import RTP_UNITS, SUITES, MemoryNetwork, Terminal


class TerminalTests(SynchronousTestCase):
    """
    L{Terminal}.
    """

    def setUp(self) -> None:
        """
        Make a network, which must be empty in the end.
        """
        self.network = MemoryNetwork()
        self.terminals: list[Terminal] = []

    def tearDown(self) -> None:
        """
        Hang up.
        """
        for terminal in self.terminals:
            terminal.close()
        self.assertEqual(self.network.ports, {})

    def terminal(self, host: str, **options: Any) -> Terminal:
        """
        A telephone that is closed in the end.
        """
        terminal = Terminal(self.network, host, **options)
        self.terminals.append(terminal)
        return terminal

    def call(self, caller: Terminal, callee: Terminal) -> str:
        """
        Let one call the other, and check that they hear each other.

        @return: the answer.
        """
        answer = callee.answer(caller.offer())
        caller.accept(answer)
        self.talk(caller, callee)
        return answer

    def talk(self, caller: Terminal, callee: Terminal) -> None:
        """
        Check that two telephones hear each other.
        """
        for one, other in ((caller, callee), (callee, caller)):
            media, control = one.sendMedia(b"words"), one.sendReport()
            self.network.flush()
            self.assertEqual(other.received[-1:], [media])
            self.assertEqual(other.receivedControl[-1:], [control])
            self.assertEqual(other.refused, 0)

    def test_plain(self) -> None:
        """
        Two plain telephones hear each other, over IPv4 and IPv6, with RTCP on
        the port beside RTP's.
        """
        for first, second in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
            caller, callee = self.terminal(first), self.terminal(second)
            answer = self.call(caller, callee)
            self.assertIn(" RTP/AVP 0\r\n", answer)
            self.assertEqual(callee.sources, {(first, caller.port), (first, caller.port + 1)})
            self.assertEqual(caller.port % 2, 0)

    def test_secured(self) -> None:
        """
        With each suite, two telephones hear each other, and nobody on the way
        does.
        """
        for suite in SUITES:
            caller = self.terminal("192.0.2.1", suites=list(SUITES))
            callee = self.terminal("192.0.2.2", suites=[suite])
            seen: list[bytes] = []

            def watch(data: bytes, source: Address, destination: Address, seen: list[bytes] = seen) -> bool:
                seen.append(data)
                return False

            self.network.lose = watch
            answer = self.call(caller, callee)
            self.assertEqual(answer.count("a=crypto:"), 1)
            self.assertIn(suite, answer)
            self.assertEqual(len(seen), 4)
            self.assertNotIn(b"words", b"".join(seen))

    def test_muxed(self) -> None:
        """
        With rtcp-mux on both sides one port carries both; with it on one side
        two do.
        """
        caller, callee = (self.terminal(host, mux=True) for host in ("192.0.2.1", "192.0.2.2"))
        self.assertIn("a=rtcp-mux\r\n", self.call(caller, callee))
        self.assertEqual(callee.sources, {("192.0.2.1", caller.port)})
        for mux in (True, False):
            caller, callee = self.terminal("192.0.2.1", mux=mux), self.terminal("192.0.2.2", mux=not mux)
            self.assertNotIn("rtcp-mux", self.call(caller, callee))
            self.assertEqual(len(callee.sources), 2)

    def test_descriptions(self) -> None:
        """
        Its descriptions are descriptions to the gateway's own parser, with the
        options that were asked for; each has a higher version.
        """
        terminal = self.terminal(
            "192.0.2.1",
            port=6000,
            media="video",
            format="98 VP8/90000",
            feedback=True,
            suites=["AEAD_AES_128_GCM"],
            lines=["3ge2ae:requested"],
        )
        terminal.direction = "sendonly"
        first, second = Description.parse(terminal.offer()), Description.parse(terminal.offer())
        section = first.sections[0]
        self.assertEqual(
            (section.media, section.port, section.proto, section.formats, section.address),
            ("video", 6000, "RTP/SAVPF", ("98",), "192.0.2.1"),
        )
        self.assertEqual(section.get("rtpmap"), "98 VP8/90000")
        self.assertEqual(section.get("rtcp"), "6001")
        self.assertEqual(section.get("3ge2ae"), "requested")
        self.assertEqual(section.direction, "sendonly")
        self.assertEqual(int(second.origin.split()[2]), int(first.origin.split()[2]) + 1)

    def test_severalStreams(self) -> None:
        """
        Telephones with several streams are several of these.
        """
        audio, video = (
            self.terminal("192.0.2.1"),
            self.terminal("192.0.2.1", media="video", format="98 VP8/90000"),
        )
        other = [self.terminal("192.0.2.2"), self.terminal("192.0.2.2", media="video", format="98 VP8/90000")]
        offer = audio.session() + audio.section() + video.section()
        answer = other[0].answer(offer) + other[1].answerSection(offer, 1)
        audio.accept(answer)
        video.accept(answer, 1)
        self.talk(audio, other[0])
        self.talk(video, other[1])
        self.assertRaises(UsageError, audio.accept, answer, 2)

    def test_sessionLevelAddress(self) -> None:
        """
        An address at session level holds for a section without one, and RTCP
        has the next port if nothing is said.
        """
        terminal = self.terminal("192.0.2.1")
        terminal.accept("v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 7000 RTP/AVP 0\r\n")
        self.assertEqual(terminal.remote, ("192.0.2.9", 7000))
        self.assertEqual(terminal.remoteControl, ("192.0.2.9", 7001))

    def test_refuses(self) -> None:
        """
        A telephone answers with port zero what it cannot do, keeping the rest
        of the line, and one that is answered so has nobody to send to.
        """
        plain = self.terminal("192.0.2.1")
        secured = self.terminal("192.0.2.2", suites=["AES_CM_128_HMAC_SHA1_80"])
        other = self.terminal("192.0.2.3", suites=["AEAD_AES_128_GCM"])
        for caller, callee in ((plain, secured), (secured, plain), (secured, other)):
            answer = callee.answer(caller.offer())
            self.assertIn("m=audio 0 RTP/", answer)
            caller.accept(answer)
            for terminal in (caller, callee):
                self.assertRaises(UsageError, terminal.sendMedia)
                self.assertRaises(UsageError, terminal.sendRaw, b"x")
        hold = plain.offer().replace(f"m=audio {plain.port}", "m=audio 0")
        self.assertIn("m=audio 0 RTP/AVP", self.terminal("192.0.2.4").answer(hold))

    def test_notOffered(self) -> None:
        """
        An answer must be one to what was offered.
        """
        plain = self.terminal("192.0.2.1")
        secured = self.terminal("192.0.2.2", suites=["AES_CM_128_HMAC_SHA1_80"])
        good = self.terminal("192.0.2.3", suites=["AES_CM_128_HMAC_SHA1_80"]).answer(secured.offer())
        crypto = next(line for line in good.split("\r\n") if line.startswith("a=crypto:"))
        for bad in (
            good.replace(crypto + "\r\n", ""),
            good + crypto + "\r\n",
            good.replace("crypto:1", "crypto:2"),
            good.replace("SHA1_80", "SHA1_32"),
            good + "a=rtcp-mux\r\n",
        ):
            self.assertRaises(UsageError, secured.accept, bad)
        self.assertRaises(UsageError, plain.accept, good)

    def test_again(self) -> None:
        """
        With the same keys a second offer leaves the contexts alone, so that a
        replayed packet is still one; with new keys they are new.
        """
        caller, callee = (
            self.terminal(host, suites=["AEAD_AES_256_GCM"]) for host in ("192.0.2.1", "192.0.2.2")
        )
        sent: list[tuple[bytes, Address, Address]] = []

        def record(*datagram: Any) -> bool:
            sent.append(datagram)
            return False

        self.network.lose = record
        self.call(caller, callee)
        self.call(caller, callee)
        self.network.carry(*sent[0])
        self.network.flush()
        self.assertEqual(callee.refused, 1)
        caller.rekey()
        self.assertEqual(callee.refused, 1)
        callee.refused = 0
        self.call(caller, callee)

    def test_forged(self) -> None:
        """
        What is not authentic, comes before there is a key, or is longer than
        libsrtp's binding takes, is counted and not received.
        """
        caller = self.terminal("192.0.2.1", suites=["AES_CM_128_HMAC_SHA1_32"])
        callee = self.terminal("192.0.2.2", suites=["AES_CM_128_HMAC_SHA1_32"])
        address = ("192.0.2.2", callee.port)
        caller.sendRaw(RTP_UNITS[0], to=address)
        self.network.flush()
        self.assertEqual(callee.refused, 1)
        self.assertRaises(UsageError, caller.sendMedia, to=address)
        caller.accept(callee.answer(caller.offer()))
        for data in (RTP_UNITS[0], RTP_UNITS[1], b"\x80" + bytes(2000), b""):
            caller.sendRaw(data)
        self.network.flush()
        self.assertEqual((callee.refused, callee.received, callee.receivedControl), (5, [], []))

    def test_portTaken(self) -> None:
        """
        A pair of ports is taken whole or not at all.
        """
        self.network.bind(("192.0.2.1", 6001), print)
        self.assertRaises(OSError, Terminal, self.network, "192.0.2.1", 6000)
        self.assertEqual(set(self.network.ports), {("192.0.2.1", 6001)})
        self.network.ports["192.0.2.1", 6001].close()
        self.assertEqual(repr(self.terminal("192.0.2.1", port=6000)), "<Terminal 192.0.2.1:6000>")

    def test_secrets(self) -> None:
        """
        No key is in a representation.
        """
        terminal = self.terminal("192.0.2.1", suites=["AEAD_AES_128_GCM"])
        self.assertNotIn(repr(terminal._keys["AEAD_AES_128_GCM"]), repr(terminal))

    def test_independent(self) -> None:
        """
        What it sends is what libsrtp makes of the packet with the key in its
        description.
        """
        terminal = self.terminal("192.0.2.1", suites=["AES_CM_128_HMAC_SHA1_80"])
        callee = self.terminal("192.0.2.2", suites=["AES_CM_128_HMAC_SHA1_80"])
        terminal.accept(callee.answer(terminal.offer()))
        wire: list[bytes] = []
        port = self.network.bind(("192.0.2.3", 9), lambda data, source: wire.append(data))
        packet = terminal.sendMedia(to=("192.0.2.3", 9))
        self.network.flush()
        port.close()
        policy = pylibsrtp.Policy(
            key=terminal._keys["AES_CM_128_HMAC_SHA1_80"], ssrc_type=pylibsrtp.Policy.SSRC_ANY_INBOUND
        )
        self.assertEqual(pylibsrtp.Session(policy).unprotect(wire[0]), packet)
