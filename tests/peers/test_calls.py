"""
Calls between browsers and telephones, through Kamailio and the gateway.
"""

from tests.peers import calls
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
