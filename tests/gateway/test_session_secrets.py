"""
Keys, passwords and names: where they are not.
"""

import gc
import re
from typing import Any

from twisted.logger import eventAsText, globalLogPublisher

from e2aegw.sansio.dtls import Association
from e2aegw.sansio.sdes import Crypto
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.srtp import Context, Keys
from e2aegw.sansio.terms import Terms
from tests.gateway.fixture import GatewayTestCase
from tests.gateway.telephones import CallTestCase
from tests.gateway.test_session_dtls import BrowserTestCase


def secrets(*descriptions: str) -> set[str]:
    """
    The keys and passwords that descriptions have in them.
    """
    return {
        found
        for sdp in descriptions
        for found in re.findall(r"inline:([^\s|]+)|ice-pwd:(\S+)", sdp)
        for found in found
        if found
    }


def alive() -> int:
    """
    How many objects there are that hold keys.
    """
    return sum(type(each) in (Context, Keys, Crypto, Association) for each in gc.get_objects())


class LogTestCase(GatewayTestCase):
    """
    Everything that is logged, at whatever level, is remembered.
    """

    def setUp(self) -> None:
        """
        Listen.
        """
        super().setUp()
        self.logged: list[Any] = []
        observer: Any = self.logged.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def assertSecret(self, *descriptions: str) -> None:
        """
        Nothing of the keys in these descriptions was logged, shown by a
        report, or told to an observer.
        """
        found = secrets(*descriptions)
        self.assertTrue(found)
        reports = [session.report() for session in self.gateway.sessions]
        told = [repr(self.witness.events), repr(reports), repr(list(self.gateway.sessions))]
        told += [eventAsText(event) + repr(event) for event in self.logged]
        for secret in found:
            for text in told:
                self.assertNotIn(secret, text)

    def releases(self) -> None:
        """
        All calls end, and so do the keys: at once, and without waiting for
        the garbage collector.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        self.assertGreater(alive(), 0)
        for session in list(self.gateway.sessions):
            session.close()
        self.assertEqual(alive(), 0)


class TelephoneTests(LogTestCase, CallTestCase):
    """
    Keys from descriptions.
    """

    def test_R_111_calls(self) -> None:
        """
        A call, one that is refused and one with packets that are not
        authentic leave no key in the log.
        """
        offer, answer = self.call()
        self.assertMedia()
        self.ue.sendRaw(b"\x80" + bytes(180))
        self.network.flush()
        bad = self.ue.offer().replace("AES_CM", "XYZ_CM")
        refused = self.gateway.newSession("refused")
        self.result(refused.offer(bad, Side.ACCESS))
        self.failureResultOf(refused.offer(bad.replace("v=0", "v=1"), Side.ACCESS))
        stranger = self.ue.answer(self.phone.offer())
        self.assertSecret(self.ue.offer(), offer, answer, bad, stranger)
        self.assertTrue(self.witness.events)

    def test_R_111_called(self) -> None:
        """
        Nor does a call in the other direction, or an answer that repeats the
        gateway's own key.
        """
        offer, answer = self.called(Terms(e2ae={"sdes-srtp"}))
        again = self.gateway.newSession("again")
        mine = self.result(again.offer(self.phone.offer(), Side.CORE, Terms(e2ae={"sdes-srtp"})))
        self.result(again.answer(mine))
        self.assertSecret(offer, answer, mine)

    def test_R_17_keysAreGone(self) -> None:
        """
        With the session its keys end.
        """
        self.call()
        self.assertMedia()
        self.releases()


class BrowserTests(LogTestCase, BrowserTestCase):
    """
    Keys from a handshake.
    """

    def test_R_111_calls(self) -> None:
        """
        Passwords of ICE and exported keys are not in the log, whether the
        handshake ends well or not.
        """
        exported: list[bytes] = []
        offer, answer = self.call()
        self.connect()
        self.assertMedia()
        assert self.browser.connection is not None
        exported.append(self.browser.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 60))
        first = self.browser.offer()
        self.browser.port.close()
        self.browser = self.makeBrowser()
        self.browser.fingerprint = ":".join(["AB"] * 32)
        self.session = self.gateway.newSession("mismatch")
        again = self.call()
        self.shakeHands()
        self.browser.check(password="wrong" * 5)
        self.network.flush()
        self.assertTrue(self.logged)
        self.assertSecret(first, offer, answer, self.browser.offer(), *again)
        told = "".join(repr(event) for event in self.logged)
        for material in exported:
            for start in range(0, 60, 15):
                part = material[start : start + 15]
                self.assertNotIn(repr(part)[2:-1], told)
                self.assertNotIn(part.hex(), told.lower())

    def test_R_17_keysAreGone(self) -> None:
        """
        With the session its keys end.
        """
        self.call()
        self.connect()
        self.assertMedia()
        self.releases()
