"""
What L{e2aegw.adapter.msrp} says and reads in descriptions.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.msrp import Factory, MSRPAdapter
from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.sansio.terms import Kind, Terms
from tests.adapter.msrpcall import CEMA, PAIRS, Call

#: An offer's role, and none.
TWO: tuple[str | None, ...] = ("actpass", None)


class DescriptionTests(SynchronousTestCase):
    """
    What descriptions say.
    """

    def test_R_75_ownPathOnEachLeg(self) -> None:
        """
        As a B2BUA, each leg's path is the gateway's own URI there, with the
        port of the m= line, and nobody sees the other party's.
        """
        for protos in PAIRS:
            call = Call(*protos)
            call.establish(begin=False)
            for number, section in enumerate(reversed(call.sections)):
                host, port = call.wires[number].localAddress
                scheme = "msrp" if protos[number] == "TCP/MSRP" else "msrps"
                transport = "dc" if protos[number] == "DC/MSRP" else "tcp"
                path = section.get("path") or ""
                self.assertTrue(path.startswith(f"{scheme}://{host}:{port}/"), path)
                self.assertTrue(path.endswith(f";{transport}"), path)
                self.assertEqual(len(section.all("path")), 1)
                self.assertEqual(section.port, port)
                self.assertNotIn("example.com", str([str(line) for line in section.lines]))
                self.assertEqual(section.get("accept-types"), "*")
                self.assertEqual(section.has("msrp-cema"), protos[number] == "DC/MSRP")

    def test_R_80_dataChannel(self) -> None:
        """
        In a data channel a path, CEMA and the role are always said.
        """
        for relay in ("never", "always"):
            for lines in ((), (CEMA,)):
                for setup in TWO:
                    call = Call("TCP/MSRP", "DC/MSRP", relay=relay)
                    call.establish(*lines, offer=setup, answers=(CEMA,), begin=False)
                    section = call.sections[0]
                    for name in ("path", "msrp-cema", "setup"):
                        self.assertEqual(len(section.all(name)), 1, name)
        call = Call("DC/MSRP", "TCP/MSRP")
        call.establish(CEMA, answers=(), begin=False)
        for name in ("path", "msrp-cema", "setup"):
            self.assertEqual(len(call.sections[1].all(name)), 1, name)
        self.assertRegex(call.sections[1].get("path") or "", "^msrps://.*;dc$")
        self.assertFalse(call.sections[0].has("msrp-cema"))

    def test_roles(self) -> None:
        """
        RFC 6135 clause 4.2: an offer's role, or the lack of one, has its
        answer.
        """
        for offered, answered in (
            ("active", "passive"),
            ("actpass", "passive"),
            ("passive", "active"),
            ("holdconn", "passive"),
            (None, "passive"),
        ):
            call = Call("DC/MSRP", "TCP/MSRP")
            call.establish(CEMA, offer=offered, answers=(), begin=False)
            self.assertEqual(call.sections[1].get("setup"), answered)
            self.assertEqual(call.legs[0].active, answered == "active")
        for said, active in (("active", False), ("passive", True), ("holdconn", True), (None, True)):
            call = Call("TCP/MSRP", "DC/MSRP")
            call.establish(answer=said, begin=False)
            self.assertEqual(call.sections[0].get("setup"), "actpass")
            self.assertEqual(call.legs[1].active, active)

    def test_R_78_cemaUnchanged(self) -> None:
        """
        With CEMA on both sides path and setup pass as they are.
        """
        for protos in PAIRS:
            call = Call(*protos, relay="always")
            call.establish(CEMA, begin=False)
            for number, section in enumerate(call.sections):
                theirs = (call.a, call.b)[number]
                self.assertEqual(section.all("path"), [theirs.uri])
                self.assertEqual(section.all("setup"), [("actpass", "passive")[number]])
                self.assertTrue(section.has("msrp-cema"))

    def test_relayPolicy(self) -> None:
        """
        An offer is relayed if it has CEMA; but a data channel's always has, so
        whether to show its path to a party of another kind is configured.
        """
        for relay, protos, lines, relayed in (
            ("auto", ("TCP/MSRP", "TCP/MSRP"), (CEMA,), True),
            ("auto", ("TCP/MSRP", "TCP/MSRP"), (), False),
            ("auto", ("TCP/MSRP", "DC/MSRP"), (CEMA,), True),
            ("auto", ("DC/MSRP", "TCP/MSRP"), (CEMA,), False),
            ("auto", ("DC/MSRP", "DC/MSRP"), (CEMA,), True),
            ("always", ("DC/MSRP", "TCP/MSRP"), (CEMA,), True),
            ("never", ("TCP/MSRP", "TCP/MSRP"), (CEMA,), False),
        ):
            call = Call(*protos, relay=relay)
            call.establish(*lines, begin=False)
            self.assertEqual(call.sections[0].get("path") == call.a.uri, relayed, (relay, protos))
            self.assertEqual([leg.relaying for leg in call.legs], [relayed, relayed])

    def test_relaySaid(self) -> None:
        """
        What the controller says goes before what is configured.
        """
        for configured, said, protos, relayed in (
            ("auto", "always", ("DC/MSRP", "TCP/MSRP"), True),
            ("never", "always", ("TCP/MSRP", "TCP/MSRP"), True),
            ("always", "never", ("DC/MSRP", "TCP/MSRP"), False),
            ("always", "auto", ("DC/MSRP", "TCP/MSRP"), False),
            ("never", "auto", ("TCP/MSRP", "DC/MSRP"), True),
        ):
            call = Call(*protos, relay=configured)
            call.said = {"msrpRelay": said}
            call.establish(CEMA, begin=False)
            self.assertEqual(call.sections[0].get("path") == call.a.uri, relayed, (configured, said, protos))
            self.assertEqual([leg.relaying for leg in call.legs], [relayed, relayed])

    def test_relayGoesOn(self) -> None:
        """
        Who offers anew does not matter to a session that is relayed; if CEMA
        is gone, so is the relay.
        """
        call = Call("TCP/MSRP", "DC/MSRP")
        call.establish(CEMA, begin=False)
        call.translate(1, call.section(1, CEMA), Kind.OFFER)
        call.translate(0, call.section(0, CEMA), Kind.ANSWER)
        self.assertEqual(call.sections[-2].get("path"), call.b.uri)
        self.assertTrue(call.legs[0].relaying)
        call.translate(0, call.section(0), Kind.OFFER)
        call.translate(1, call.section(1, CEMA), Kind.ANSWER)
        self.assertNotEqual(call.sections[-2].get("path"), call.a.uri)
        self.assertFalse(call.legs[0].relaying or call.legs[1].relaying)
        call.a.begin()
        call.b.begin()
        call.a.say(b"hello")
        call.run()
        self.assertEqual(call.b.messages, {"m1": b"hello"})

    def test_destination(self) -> None:
        """
        Without CEMA, the first hop of the path is where to connect (RFC 4975
        clause 8.3).
        """
        for lines, path, destination in (
            ((), "", ("a.example.com", 9000)),
            ((), "msrp://relay.example.com:1/r;tcp msrp://a.example.com:2/a;tcp", ("relay.example.com", 1)),
            ((CEMA,), "", None),
        ):
            call = Call()
            call.legs[0].configure(call.section(0, *lines, path=path), Terms())()
            self.assertEqual(call.legs[0].destination, destination)

    def test_uriStays(self) -> None:
        """
        A new offer repeats the URI, and another media address changes the rest
        of it.
        """
        call = Call()
        call.establish(begin=False)
        first = str(call.legs[1].describe(Terms())[0].value)
        self.assertEqual(first, call.sections[0].get("path"))
        second = str(call.legs[1].describe(Terms(mediaAddress="2001:db8::1"))[0].value)
        self.assertEqual(second, first.replace("192.0.2.1", "[2001:db8::1]"))

    def test_options(self) -> None:
        """
        Options that make no sense are the operator's error.
        """
        for options in ({"relay": "sometimes"}, {"chunk": 0}, {"idle": -1}):
            self.assertRaises(ConfigError, Factory, **options)
        self.assertIsInstance(Factory().buildAdapter("TCP/MSRP"), MSRPAdapter)

    def test_kinds(self) -> None:
        """
        A channel is no stream.
        """
        adapter = Factory(clock=Clock()).buildAdapter("DC/MSRP")
        section = Call().section(0)
        self.assertRaises(NegotiationError, adapter.configure, section, Terms())
