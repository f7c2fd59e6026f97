"""
Browsers' data channels with MSRP, through the gateway to MSRP over TCP.
"""

from tests.peers import chats, peers
from tests.peers.browsers import Chromium, Firefox
from tests.peers.peers import needs


@needs(peers.CHROMIUM)
class ChromiumTests(chats.Stories):
    """
    Chromium.
    """

    browserClass = Chromium


@needs(peers.FIREFOX)
class FirefoxTests(chats.Stories):
    """
    Firefox.
    """

    browserClass = Firefox


@needs(peers.CHROMIUM)
class ChromiumBadWeatherTests(chats.BadWeatherStories):
    """
    Chromium on a bad path.
    """

    browserClass = Chromium


@needs(peers.FIREFOX)
class FirefoxBadWeatherTests(chats.BadWeatherStories):
    """
    Firefox on a bad path.
    """

    browserClass = Firefox
