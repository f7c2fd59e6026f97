"""
What a SIP proxy gets for its requests.
"""

from typing import Any, cast

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.gateway import control as controlModule
from e2aegw.gateway import dialogues as dialoguesModule
from e2aegw.gateway.control import DIRECTIONS
from e2aegw.interfaces import IGateway, ISession
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE, Kind, Terms
from tests.gateway.sipproxy import SDP, FakeGateway, FakeSession, Proxy


class Fakes(SynchronousTestCase):
    """
    The fakes are what they say.
    """

    def test_fakes(self) -> None:
        """
        The session and the gateway of these tests keep the interfaces.
        """
        self.assertTrue(verifyObject(ISession, FakeSession("x")))
        self.assertTrue(verifyObject(IGateway, FakeGateway()))


class Calls(SynchronousTestCase):
    """
    Which session gets which message.
    """

    def test_offerAndAnswer(self) -> None:
        """
        An offer begins a session, and its answer goes to it.
        """
        proxy = Proxy()
        self.assertEqual(proxy.offer(ICE="remove"), {"sdp": "offer 1 of c", "result": "ok"})
        self.assertEqual(proxy.answer(ICE="force"), {"sdp": "answer 2 of c", "result": "ok"})
        (session,) = proxy.sessions
        self.assertEqual(
            session.log,
            [
                ("offer", SDP, None, Terms(ice=ICE.REMOVE), False),
                ("answer", SDP, Terms(kind=Kind.ANSWER, ice=ICE.FORCE)),
            ],
        )

    def test_missing(self) -> None:
        """
        What is missing is named in rtpengine's words.
        """
        proxy = Proxy()
        requests: list[tuple[str, dict[str, Any], str]] = [
            ("offer", {}, "No SDP body in message"),
            ("offer", {"sdp": SDP}, "No call-id in message"),
            ("offer", {"sdp": SDP, "call_id": "c"}, "No from-tag in message"),
            ("answer", {"sdp": SDP, "call_id": "c", "from_tag": "A"}, "No to-tag in message"),
            ("answer", {"sdp": SDP, "call_id": "c", "from_tag": "A", "to_tag": "B"}, "Unknown call-id"),
            ("query", {}, "No call-id in message"),
            ("query", {"call_id": "c"}, "Unknown call-id"),
            ("delete", {}, "No call-id in message"),
            ("delete", {"call_id": "c", "flags": ["fatal"]}, "Call-ID not found or tags didn't match"),
            ("list", {"limit": -1}, "invalid limit, must be >= 0"),
        ]
        for command, keys, reason in requests:
            self.assertEqual(proxy.ask(command, **keys), {"result": "error", "error-reason": reason})
        self.assertEqual(proxy.sessions, [])

    def test_sides(self) -> None:
        """
        C{direction} names the sides, by any of the configured names.
        """
        proxy = Proxy()
        proxy.offer("1", direction=["access", "core"])
        proxy.offer("2", direction=["internal", "external"])
        proxy.offer("3")
        logs = [s.log[0] for s in proxy.sessions]
        self.assertEqual([(log[2], log[3].far) for log in logs], [
            (Side.ACCESS, Side.CORE),
            (Side.CORE, Side.ACCESS),
            (None, None),
        ])  # fmt: skip

    def test_unknownSide(self) -> None:
        """
        A side that does not exist is an error that names those that do.
        """
        proxy = Proxy()
        reply = proxy.offer(direction=["access", "mars"])
        self.assertEqual(
            reply["error-reason"], "Unknown direction 'mars'; there are: access, core, external, internal"
        )
        self.assertEqual(proxy.sessions, [])
        self.assertEqual(set(DIRECTIONS), {"access", "core", "external", "internal"})

    def test_sameOfferTwice(self) -> None:
        """
        The same offer with another cookie while the first is under way is
        translated once, and both get the result.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        cookies = [proxy.say("offer", call_id="c", from_tag="A", sdp=SDP, via_branch="v") for _ in range(3)]
        (session,) = proxy.sessions
        assert session.pending is not None
        session.pending[0].callback("")
        self.assertEqual([proxy.replies(c) for c in cookies], [[{"sdp": "offer 1 of c", "result": "ok"}]] * 3)

    def test_sameOfferFails(self) -> None:
        """
        Who waits for an offer that fails gets the error too.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        cookies = [proxy.say("offer", call_id="c", from_tag="A", sdp=SDP) for _ in range(2)]
        (session,) = proxy.sessions
        assert session.pending is not None
        session.pending[0].errback(NegotiationError("no"))
        self.assertEqual(
            [proxy.replies(c) for c in cookies], [[{"result": "error", "error-reason": "no"}]] * 2
        )
        self.assertTrue(session.closed)
        self.assertEqual(proxy.ask("list")["calls"], [])

    def test_tooManyWait(self) -> None:
        """
        The number of those who wait for one description is limited.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        last = b""
        for _ in range(controlModule.MAX_WAITING + 2):
            last = proxy.say("offer", call_id="c", from_tag="A", sdp=SDP)
        self.assertEqual(proxy.replies(last)[0]["result"], "error")

    def test_oneAtATime(self) -> None:
        """
        An answer that overtakes its offer waits for it.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        offer = proxy.say("offer", call_id="c", from_tag="A", sdp=SDP)
        answer = proxy.say("answer", call_id="c", from_tag="A", to_tag="B", sdp=SDP)
        (session,) = proxy.sessions
        assert session.pending is not None
        self.assertEqual(len(session.log), 1)
        session.pending[0].callback("")
        session.pending[1].callback("")
        self.assertEqual([proxy.replies(c)[0]["result"] for c in (offer, answer)], ["ok", "ok"])

    def test_reoffers(self) -> None:
        """
        Later offers go to the same session, whichever party speaks, with any
        via-branch.
        """
        proxy = Proxy()
        proxy.offer(via_branch="v1")
        proxy.answer(via_branch="v1")
        proxy.offer(to_tag="B", via_branch="v2")
        proxy.answer(via_branch="v2")
        proxy.offer(fromTag="B", to_tag="A", via_branch="v3")
        self.assertEqual(proxy.answer(fromTag="B", toTag="A", via_branch="v3")["result"], "ok")
        (session,) = proxy.sessions
        self.assertEqual([entry[4] for entry in session.log if entry[0] == "offer"], [False, False, True])

    def test_overtakenAnswer(self) -> None:
        """
        An answer to an offer that the other party has overtaken is refused,
        but for one that was given already: that gets the same result, and
        changes nothing.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer()
        proxy.offer(fromTag="B", to_tag="A")
        log = list(proxy.sessions[0].log)
        self.assertEqual(
            proxy.answer(sdp="v=0"), {"result": "error", "error-reason": "No offer from tag 'A' is open"}
        )
        self.assertEqual(proxy.answer(), {"sdp": "answer 2 of c", "result": "ok"})
        self.assertEqual(proxy.sessions[0].log, log)

    def test_fork(self) -> None:
        """
        Branches have sessions of their own, and their answers find them.
        """
        proxy = Proxy()
        proxy.offer(via_branch="v1")
        proxy.offer(via_branch="v2")
        proxy.answer(toTag="B2", via_branch="v2")
        proxy.answer(toTag="B1", via_branch="v1")
        proxy.answer(toTag="B2", via_branch="v1")
        self.assertEqual(
            [[e[0] for e in s.log] for s in proxy.sessions],
            [["offer", "answer"], ["offer", "answer", "answer"]],
        )

    def test_forkWithoutBranches(self) -> None:
        """
        Without a via-branch all parties answer the same session.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer(toTag="B1")
        proxy.answer(toTag="B2")
        proxy.offer(to_tag="B1")
        (session,) = proxy.sessions
        self.assertEqual([e[0] for e in session.log], ["offer", "answer", "answer", "offer"])

    def test_lateOffer(self) -> None:
        """
        An offer in a 200 and its answer in an ACK: the tags are the other way
        round.
        """
        proxy = Proxy()
        proxy.offer(fromTag="B", to_tag="A")
        self.assertEqual(proxy.answer(fromTag="B", toTag="A")["result"], "ok")
        proxy.offer(fromTag="A", to_tag="B")
        self.assertEqual([e[-1] for e in proxy.sessions[0].log if e[0] == "offer"], [False, True])

    def test_updateBeforeAnswer(self) -> None:
        """
        An offer from the called party, before any answer came by here, is for
        the same session.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.offer(fromTag="B", to_tag="A")
        self.assertEqual([s.log[-1][4] for s in proxy.sessions], [True])

    def test_updateFromOtherBranch(self) -> None:
        """
        Without via-branches, also one that has not answered speaks in the one
        session that there is.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer(toTag="B1")
        proxy.offer(fromTag="B2", to_tag="A")
        self.assertEqual([s.log[-1][-1] for s in proxy.sessions], [True])

    def test_wrongTag(self) -> None:
        """
        An answer to somebody who made no offer is refused.
        """
        proxy = Proxy()
        proxy.offer()
        reply = proxy.answer(fromTag="Z")
        self.assertEqual(reply["error-reason"], "No offer from tag 'Z'")

    def test_manyForks(self) -> None:
        """
        A call has a limited number of branches.
        """
        proxy = Proxy()
        replies = [proxy.offer(via_branch=str(n)) for n in range(dialoguesModule.MAX_DIALOGUES + 1)]
        self.assertEqual(replies[-1]["error-reason"], "Parallel session limit reached")
        self.assertEqual(replies[-2]["result"], "ok")

    def test_manyAnswerers(self) -> None:
        """
        Of very many who answer, the first are forgotten.
        """
        proxy = Proxy()
        proxy.offer()
        for n in range(dialoguesModule.MAX_ANSWERERS + 5):
            self.assertEqual(proxy.answer(toTag=str(n))["result"], "ok")
        self.assertEqual(proxy.ask("query", call_id="c", from_tag="4")["tags"], {})
        self.assertIn("36", proxy.ask("query", call_id="c", from_tag="5")["tags"])

    def test_refused(self) -> None:
        """
        An offer that cannot be agreed to is an error, and leaves nothing.
        """
        proxy = Proxy()
        proxy.gateway.refusal = NegotiationError("Failed to parse SDP")
        self.assertEqual(proxy.offer(), {"result": "error", "error-reason": "Failed to parse SDP"})
        self.assertTrue(proxy.sessions[0].closed)
        self.assertEqual(proxy.ask("list")["calls"], [])

    def test_laterOfferRefused(self) -> None:
        """
        A call goes on if a later offer cannot be agreed to.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer()
        proxy.sessions[0].refusal = NegotiationError("no")
        self.assertEqual(proxy.offer(to_tag="B")["result"], "error")
        self.assertFalse(proxy.sessions[0].closed)
        self.assertEqual(proxy.ask("list")["calls"], ["c"])

    def test_noRoom(self) -> None:
        """
        The texts that make a proxy ask the next gateway are exact.
        """
        proxy = Proxy()
        proxy.gateway.room = 0
        self.assertEqual(proxy.offer()["error-reason"], "Parallel session limit reached")
        proxy.gateway.room = 9
        proxy.gateway.refusal = ResourceError("ports")
        self.assertEqual(proxy.offer()["error-reason"], "Ran out of ports")
        self.assertEqual(proxy.ask("list")["calls"], [])

    def test_answerWithoutPorts(self) -> None:
        """
        Ports can run out in an answer too.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.sessions[0].refusal = ResourceError("ports")
        self.assertEqual(proxy.answer()["error-reason"], "Ran out of ports")

    def test_draining(self) -> None:
        """
        A gateway that goes out of service begins no calls and says so in the
        words that the proxy understands.
        """
        proxy = Proxy()
        proxy.offer("old")
        proxy.control.drain()
        self.assertEqual(proxy.offer("1", supports=["load limit"])["result"], "load limit")
        self.assertEqual(proxy.offer("2")["error-reason"], "Parallel session limit reached")
        self.assertEqual(proxy.answer("old")["result"], "ok")

    def test_fragment(self) -> None:
        """
        Trickled candidates are not taken for a description.
        """
        self.assertEqual(Proxy().offer(flags=["fragment"])["result"], "error")

    def test_ourMistake(self) -> None:
        """
        A mistake of our own is logged, and the controller gets a reply.
        """
        proxy = Proxy()
        proxy.gateway.refusal = ZeroDivisionError("oops")
        self.assertEqual(proxy.offer()["error-reason"], "Internal error")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(proxy.sessions[0].closed)
        self.assertEqual(proxy.ask("list")["calls"], [])

    def test_warning(self) -> None:
        """
        What will not be done is in the reply to an offer that is otherwise
        taken.
        """
        reply = Proxy().offer(flags=["record-call"], codec={"transcode": ["PCMA"]})
        self.assertEqual(reply["result"], "ok")
        self.assertEqual(reply["warning"], "not done by this gateway: record-call, codec-transcode")


class Endings(SynchronousTestCase):
    """
    How calls end.
    """

    def test_delete(self) -> None:
        """
        C{delete} ends the call and says how it stood.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer()
        reply = proxy.ask("delete", call_id="c", from_tag="A")
        self.assertTrue(proxy.sessions[0].closed)
        self.assertEqual(reply["result"], "ok")
        self.assertEqual(reply["totals"]["RTP"], {"packets": 20, "bytes": 3440, "errors": 2})
        self.assertEqual(proxy.ask("list")["calls"], [])
        self.assertEqual(proxy.clock.getDelayedCalls(), [])

    def test_fast(self) -> None:
        """
        With C{fast} it does not say how it stood.
        """
        proxy = Proxy()
        proxy.offer()
        self.assertEqual(proxy.ask("delete", call_id="c", flags=["fast"]), {"result": "ok"})

    def test_unknown(self) -> None:
        """
        Deleting what is not there is no error, but there is a warning.
        """
        proxy = Proxy()
        expected = {"result": "ok", "warning": "Call-ID not found or tags didn't match"}
        self.assertEqual(proxy.ask("delete", call_id="c", from_tag="A"), expected)
        proxy.offer()
        self.assertEqual(proxy.ask("delete", call_id="c", from_tag="Z"), expected)
        self.assertFalse(proxy.sessions[0].closed)

    def test_twoWarnings(self) -> None:
        """
        Two warnings are one text.
        """
        reply = Proxy().ask("delete", call_id="c", record_call="on")
        self.assertEqual(
            reply["warning"], "Call-ID not found or tags didn't match; not done by this gateway: record-call"
        )

    def test_delay(self) -> None:
        """
        With a delay the call goes on for that long.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.ask("delete", call_id="c", delete_delay=5)
        proxy.ask("delete", call_id="c", delete_delay="9")
        proxy.clock.advance(4)
        self.assertFalse(proxy.sessions[0].closed)
        proxy.clock.advance(1)
        self.assertTrue(proxy.sessions[0].closed)
        self.assertEqual(proxy.clock.getDelayedCalls(), [])

    def test_defaultDelay(self) -> None:
        """
        The configuration's delay counts if the request has none, and 0 is at
        once.
        """
        proxy = Proxy(deleteDelay=30)
        proxy.offer("1")
        proxy.offer("2")
        proxy.ask("delete", call_id="1")
        proxy.ask("delete", call_id="2", delete_delay=0)
        self.assertEqual([s.closed for s in proxy.sessions], [False, True])
        proxy.clock.advance(30)
        self.assertTrue(proxy.sessions[0].closed)

    def test_offerAfterDelete(self) -> None:
        """
        An offer for a call that is about to be deleted keeps it.
        """
        proxy = Proxy(deleteDelay=30)
        proxy.offer()
        proxy.ask("delete", call_id="c")
        proxy.offer()
        proxy.clock.advance(60)
        self.assertEqual([s.closed for s in proxy.sessions], [False])

    def test_branches(self) -> None:
        """
        A delete ends the branch that it names; one that names none that is
        known, as a BYE does, goes by the tags.
        """
        proxy = Proxy()
        proxy.offer(via_branch="v1")
        proxy.offer(via_branch="v2")
        proxy.offer(via_branch="v3")
        proxy.ask("delete", call_id="c", from_tag="A", via_branch="v1")
        self.assertEqual([s.closed for s in proxy.sessions], [True, False, False])
        proxy.ask("delete", call_id="c", from_tag="A", via_branch="v9")
        self.assertEqual([s.closed for s in proxy.sessions], [True, True, True])

    def test_calledHangsUp(self) -> None:
        """
        When the called party hangs up, the branches that nobody answered end,
        but not one that was.
        """
        proxy = Proxy()
        for n in "123":
            proxy.offer(via_branch=n)
        proxy.answer(toTag="B1", via_branch="1")
        proxy.answer(toTag="B2", via_branch="2")
        proxy.ask("delete", call_id="c", from_tag="B2")
        self.assertEqual([s.closed for s in proxy.sessions], [False, True, True])

    def test_toTag(self) -> None:
        """
        With the flag C{to-tag} both tags must fit.
        """
        proxy = Proxy()
        proxy.offer(via_branch="1")
        proxy.answer(toTag="B1", via_branch="1")
        proxy.offer(via_branch="2")
        proxy.answer(toTag="B2", via_branch="2")
        proxy.ask("delete", call_id="c", from_tag="A", to_tag="B2", flags=["to-tag"])
        self.assertEqual([s.closed for s in proxy.sessions], [False, True])
        proxy.ask("delete", call_id="c", from_tag="A", to_tag="B9", flags=["to-tag"])
        self.assertEqual([s.closed for s in proxy.sessions], [False, True])

    def test_closesItself(self) -> None:
        """
        A session that ends on its own is forgotten, and its delayed delete
        with it.
        """
        proxy = Proxy(deleteDelay=30)
        proxy.offer()
        proxy.ask("delete", call_id="c")
        proxy.sessions[0].close()
        self.assertEqual(proxy.ask("query", call_id="c")["error-reason"], "Unknown call-id")
        self.assertEqual(proxy.clock.getDelayedCalls(), [])
        self.assertEqual(proxy.ask("statistics")["statistics"]["totalstatistics"]["timeoutsessions"], 1)

    def test_deleteUnderWay(self) -> None:
        """
        A call can be deleted while its offer is being translated.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        cookie = proxy.say("offer", call_id="c", from_tag="A", sdp=SDP)
        self.assertEqual(proxy.ask("delete", call_id="c", flags=["fast"]), {"result": "ok"})
        (session,) = proxy.sessions
        assert session.pending is not None
        session.pending[0].errback(NegotiationError("closed"))
        self.assertEqual(proxy.replies(cookie)[0]["error-reason"], "closed")
        self.assertEqual(proxy.ask("list")["calls"], [])


class Telling(SynchronousTestCase):
    """
    What is told of calls.
    """

    def test_R_108_block(self) -> None:
        """
        C{block media} is for the whole call, or for one party of it.
        """
        proxy = Proxy()
        proxy.offer()
        proxy.answer()
        log = proxy.sessions[0].log
        for keys, expected in (
            ({"from_tag": "A"}, [(False, True), (True, True)]),
            ({"from_tag": "A", "flags": ["directional"]}, [(False, True)]),
            ({"from_tag": "B", "flags": ["directional"]}, [(True, True)]),
        ):
            log.clear()
            self.assertEqual(proxy.ask("block media", call_id="c", **keys), {"result": "ok"})
            self.assertEqual(log, [("block", *each) for each in expected])
        log.clear()
        self.assertEqual(proxy.ask("unblock media", call_id="c"), {"result": "ok"})
        self.assertEqual(log, [("block", False, False), ("block", True, False)])
        for keys in ({"call_id": "x"}, {}, {"call_id": "c", "from_tag": "Z", "flags": ["directional"]}):
            self.assertEqual(proxy.ask("block media", **keys)["result"], "error")

    def test_query(self) -> None:
        """
        C{query} has rtpengine's keys.
        """
        proxy = Proxy()
        proxy.offer(label="caller")
        proxy.answer(label="callee")
        reply = proxy.ask("query", call_id="c")
        self.assertEqual(
            {k: v for k, v in reply.items() if k != "tags"},
            {
                "created": 900,
                "created_us": 250000,
                "last signal": 901,
                "SSRC": {},
                "events": [],
                "totals": {
                    "RTP": {"packets": 20, "bytes": 3440, "errors": 2},
                    "RTCP": {"packets": 4, "bytes": 208, "errors": 0},
                },
                "result": "ok",
            },
        )
        self.assertEqual(list(reply["tags"]), ["A", "B"])
        a = reply["tags"]["A"]
        self.assertEqual((a["tag"], a["label"], a["in dialogue with"]), ("A", "caller", "B"))
        stream, control = a["medias"][0]["streams"]
        self.assertEqual(
            stream,
            {
                "local port": 30000,
                "local address": "127.0.0.1",
                "family": "IPv4",
                "endpoint": {"family": "IPv4", "address": "192.0.2.1", "port": 4000},
                "advertised endpoint": {"family": "IPv4", "address": "192.0.2.1", "port": 4000},
                "last packet": 1000,
                "flags": ["RTP", "filled"],
                "stats": {"packets": 10, "bytes": 1720, "errors": 1},
                "crypto suite": "AES_CM_128_HMAC_SHA1_80",
                "SSRC": 17,
                "counters": {"dropped replay": 1},
            },
        )
        self.assertEqual((control["family"], control["endpoint"]), ("IPv6", {}))
        self.assertEqual(reply["tags"]["B"]["label"], "callee")

    def test_unanswered(self) -> None:
        """
        A party that has not answered has no tag yet.
        """
        proxy = Proxy()
        proxy.offer()
        self.assertEqual(list(proxy.ask("query", call_id="c")["tags"]), ["A", "<untagged 1>"])

    def test_tags(self) -> None:
        """
        C{query} with tags is about those who have them.
        """
        proxy = Proxy()
        proxy.offer(via_branch="1")
        proxy.answer(toTag="B1", via_branch="1")
        proxy.offer(via_branch="2")
        proxy.answer(toTag="B2", via_branch="2")
        self.assertEqual(list(proxy.ask("query", call_id="c")["tags"]), ["A", "B1", "B2"])
        self.assertEqual(
            list(proxy.ask("query", call_id="c", from_tag="A", to_tag="B1")["tags"]), ["A", "B1"]
        )
        self.assertEqual(proxy.ask("query", call_id="c", from_tag="Z")["tags"], {})

    def test_list(self) -> None:
        """
        C{list} names as many as are asked for, and 32 otherwise.
        """
        proxy = Proxy()
        for n in range(40):
            proxy.offer(str(n))
        self.assertEqual(len(proxy.ask("list")["calls"]), 32)
        self.assertEqual(proxy.ask("list", limit=2)["calls"], ["0", "1"])
        self.assertEqual(len(proxy.ask("list", limit="100")["calls"]), 40)

    def test_statistics(self) -> None:
        """
        C{statistics} counts sessions and requests.
        """
        proxy = Proxy()
        proxy.offer("1")
        proxy.offer("2")
        proxy.ask("delete", call_id="1")
        proxy.clock.advance(7)
        statistics = proxy.ask("statistics")["statistics"]
        self.assertEqual(statistics["currentstatistics"]["sessionstotal"], 1)
        total = statistics["totalstatistics"]
        self.assertEqual(
            (total["uptime"], total["managedsessions"], total["regularterminatedsessions"]), (7, 2, 1)
        )
        counts = statistics["controlstatistics"]
        self.assertEqual((counts["totaloffercount"], counts["totalstatscount"]), (2, 1))
        self.assertIn("totalblkmediacount", counts)


class Logging(SynchronousTestCase):
    """
    What the log gets.
    """

    def setUp(self) -> None:
        """
        Watch the log.
        """
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def warnings(self) -> list[LogEvent]:
        """
        What an operator sees.
        """
        return [e for e in self.events if e["log_level"].name in ("warn", "error")]

    def test_R_111_noSecrets(self) -> None:
        """
        Neither a description nor a part of it reaches the log, whatever
        happens.
        """
        proxy = Proxy()
        secret = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
        sdp = SDP + f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{secret}\r\na=ice-pwd:{secret}\r\n"
        proxy.offer(sdp=sdp)
        proxy.answer(sdp=sdp, flags=[secret[:3], "what-is-this"])
        proxy.sessions[0].refusal = NegotiationError("no")
        proxy.offer(sdp=sdp)
        proxy.sessions[0].refusal = ZeroDivisionError("oops")
        proxy.offer(sdp=sdp)
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertTrue(self.events)
        self.assertNotIn(secret, "".join(repr(e) for e in self.events))

    def test_unknownFlagsOnce(self) -> None:
        """
        A flag that means nothing is reported once, by name.
        """
        proxy = Proxy()
        for n in range(3):
            proxy.offer(str(n), flags=["frobnicate"], gizmo="on")
        self.assertEqual([e["names"] for e in self.warnings()], ["frobnicate, gizmo"])

    def test_manyUnknownFlags(self) -> None:
        """
        The memory of what was reported has an end, and then nothing more is.
        """
        proxy = Proxy()
        for n in range(controlModule.MAX_REPORTED + 5):
            proxy.clock.advance(controlModule.COMPLAINT_PERIOD)
            proxy.offer(flags=[f"x{n}"])
        self.assertEqual(len(self.warnings()), controlModule.MAX_REPORTED)

    def test_bounded(self) -> None:
        """
        However often a controller errs, the log grows slowly.
        """
        proxy = Proxy()
        for n in range(1000):
            proxy.send(b"%d de" % n)
        self.assertEqual(len(self.warnings()), controlModule.MAX_COMPLAINTS)
        proxy.clock.advance(controlModule.COMPLAINT_PERIOD)
        proxy.send(b"x de")
        self.assertEqual(self.warnings()[-2]["count"], 980)
