"""
Calls between browsers and telephones, through Kamailio and a media gateway.
"""

from tests.peers import calls
from tests.peers.browsers import Chromium, Firefox
from tests.peers.peers import BARESIP, CHROMIUM, FIREFOX, JSSIP, KAMAILIO, RTPENGINE, SIPP, needs
from tests.peers.rtpengine import RTPEngine


@needs(CHROMIUM, JSSIP, KAMAILIO, BARESIP, SIPP, RTPENGINE)
class ChromiumRTPEngineTests(calls.CallTests):
    """
    Chromium's calls.
    """

    browserClass = Chromium
    mediaClass = RTPEngine


@needs(FIREFOX, JSSIP, KAMAILIO, BARESIP, SIPP, RTPENGINE)
class FirefoxRTPEngineTests(calls.CallTests):
    """
    Firefox's calls.
    """

    browserClass = Firefox
    mediaClass = RTPEngine
