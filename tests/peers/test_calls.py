"""
Calls between browsers and telephones, through Kamailio and the gateway.
"""

from tests.peers import baresip, calls
from tests.peers.browsers import Chromium, Firefox
from tests.peers.gateway import Gateway
from tests.peers.peers import BARESIP, CHROMIUM, FIREFOX, JSSIP, KAMAILIO, SIPP, needs


@needs(CHROMIUM, JSSIP, KAMAILIO, BARESIP, SIPP)
class ChromiumTests(calls.CallTests):
    """
    Chromium's calls.
    """

    browserClass = Chromium
    mediaClass = Gateway


@needs(FIREFOX, JSSIP, KAMAILIO, BARESIP, SIPP)
class FirefoxTests(calls.CallTests):
    """
    Firefox's calls.
    """

    browserClass = Firefox
    mediaClass = Gateway


@needs(CHROMIUM, JSSIP, KAMAILIO, BARESIP)
class AgreedTests(calls.BrowserCase):
    """
    Kamailio says which sides there are and what the browser agreed to when it
    registered, and leaves all else to the gateway.
    """

    browserClass = Chromium
    mediaClass = Gateway
    toSecured = "direction=core direction=access e2ae=webrtc"
    toPlain = "direction=access direction=core e2ae=webrtc"

    def test_browserCalls(self) -> None:
        """
        The browser calls a telephone, and each hears the other.
        """
        self.phone.call(self.baresip.uri)
        self.converse(baresip.TONE)
        self.phone.hangUp()
        self.checkOver()

    def test_telephoneCalls(self) -> None:
        """
        A telephone calls the browser, and each hears the other.
        """
        self.baresip.call(self.phone.uri)
        self.converse(baresip.TONE)
        self.baresip.hangUp()
        self.checkOver()
