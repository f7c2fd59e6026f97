"""
Calls between telephones that protect their media and others that do not,
through Kamailio and the gateway.
"""

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import baresip, kamailio
from tests.peers.baresip import Baresip
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.kamailio import Kamailio
from tests.peers.ng import NG
from tests.peers.peers import BARESIP, KAMAILIO, needs

#: What the two telephones say, in hertz.
ANN, BEN = 440, 880
#: How far off it may be heard, in hertz.
TOLERANCE = 25
#: The least loudness that counts, of 32768.
AUDIBLE = 1000.0
#: RTP packets through the gateway that make a conversation: a second's, both ways.
CONVERSATION = 100

_ORIGIN = "replace-origin replace-session-connection"


@needs(KAMAILIO, BARESIP)
class TelephoneTests(SynchronousTestCase):
    """
    Ann and Ben, who have baresip both.
    """

    def setUp(self) -> None:
        """
        Start the gateway.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.gateway = Gateway(self.directory)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)

    def start(self, toSecured: str, toPlain: str) -> Kamailio:
        """
        Start Kamailio.
        """
        proxy = Kamailio(self.directory, kamailio.node(self.gateway.ngPort), toSecured, toPlain)
        self.addCleanup(proxy.end)
        return proxy

    def phone(self, proxy: Kamailio, user: str, tone: int, protection: str = "") -> Baresip:
        """
        Start a telephone.
        """
        phone = Baresip(self.directory / user, proxy.domain, user, tone, protection)
        self.addCleanup(phone.end)
        return phone

    def packets(self) -> int:
        """
        How many RTP packets the gateway has taken in the only call.
        """
        calls = self.ng.command("list")["calls"]
        if not calls:
            return 0
        count: int = self.ng.command("query", call_id=calls[0])["totals"]["RTP"]["packets"]
        return count

    def converse(self, caller: Baresip, called: Baresip) -> None:
        """
        Let one call the other, and check what both heard.
        """
        caller.call(called.uri)
        until(
            lambda: self.packets() > CONVERSATION,
            "they talk",
            explain=lambda: caller.output()[-3000:] + called.output()[-3000:] + self.gateway.output()[-3000:],
        )
        caller.hangUp()
        until(lambda: caller.happened("CALL_CLOSED") and called.happened("CALL_CLOSED"), "the call is over")
        until(lambda: self.ng.command("list")["calls"] == [], "the call is forgotten")

    def checkHeard(self, listener: Baresip, tone: int) -> None:
        """
        Check what a telephone heard.
        """
        heard = listener.heard()
        self.assertGreater(heard.rms, AUDIBLE)
        self.assertAlmostEqual(heard.hertz, tone, delta=TOLERANCE)

    def test_SDES(self) -> None:
        """
        A telephone with SDES calls one with plain RTP.
        """
        proxy = self.start(f"{_ORIGIN} RTP/SAVP", f"{_ORIGIN} RTP/AVP")
        ann = self.phone(proxy, "secured-ann", ANN, baresip.SDES)
        ben = self.phone(proxy, "ben", BEN)
        self.converse(ann, ben)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)

    def test_toSDES(self) -> None:
        """
        A telephone with plain RTP calls one with SDES.
        """
        proxy = self.start(f"{_ORIGIN} RTP/SAVP", f"{_ORIGIN} RTP/AVP")
        ann = self.phone(proxy, "secured-ann", ANN, baresip.SDES)
        ben = self.phone(proxy, "ben", BEN)
        self.converse(ben, ann)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)

    def test_DTLS(self) -> None:
        """
        A telephone with DTLS-SRTP, which does not speak ICE, calls one with
        plain RTP.
        """
        proxy = self.start(f"{_ORIGIN} UDP/TLS/RTP/SAVPF SDES-off", f"{_ORIGIN} RTP/AVP")
        ann = self.phone(proxy, "secured-ann", ANN, baresip.DTLS)
        ben = self.phone(proxy, "ben", BEN)
        self.converse(ann, ben)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)

    def test_toDTLS(self) -> None:
        """
        A telephone with plain RTP calls one with DTLS-SRTP, which does not
        speak ICE.
        """
        proxy = self.start(f"{_ORIGIN} UDP/TLS/RTP/SAVPF SDES-off", f"{_ORIGIN} RTP/AVP")
        ann = self.phone(proxy, "secured-ann", ANN, baresip.DTLS)
        ben = self.phone(proxy, "ben", BEN)
        self.converse(ben, ann)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)

    def test_R_09_SDESEndToEnd(self) -> None:
        """
        Between two telephones with SDES, of whom nobody said that the gateway
        should terminate it, it is end to end.
        """
        proxy = self.start(_ORIGIN, _ORIGIN)
        ann = self.phone(proxy, "secured-ann", ANN, baresip.SDES)
        ben = self.phone(proxy, "secured-ben", BEN, baresip.SDES)
        self.converse(ann, ben)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)

    def test_SDESToDTLS(self) -> None:
        """
        A telephone with SDES calls one with DTLS-SRTP.
        """
        proxy = self.start(f"{_ORIGIN} RTP/SAVP", f"{_ORIGIN} UDP/TLS/RTP/SAVPF SDES-off")
        ann = self.phone(proxy, "secured-ann", ANN, baresip.SDES)
        ben = self.phone(proxy, "ben", BEN, baresip.DTLS)
        self.converse(ann, ben)
        self.checkHeard(ann, BEN)
        self.checkHeard(ben, ANN)
