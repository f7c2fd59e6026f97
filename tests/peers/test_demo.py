"""
The demonstration in browsers.
"""

from tests.peers import demonstration
from tests.peers.browsers import Chromium, EverydayChromium, EverydayFirefox, Firefox
from tests.peers.peers import CHROMIUM, FIREFOX, needs


@needs(CHROMIUM)
class ChromiumTests(demonstration.DemoTests):
    """
    With Chromium.
    """

    browserClass = Chromium


@needs(FIREFOX)
class FirefoxTests(demonstration.DemoTests):
    """
    With Firefox.
    """

    browserClass = Firefox


@needs(CHROMIUM)
class EverydayChromiumTests(demonstration.EverydayTests):
    """
    With Chromium.
    """

    browserClass = EverydayChromium


@needs(FIREFOX)
class EverydayFirefoxTests(demonstration.EverydayTests):
    """
    With Firefox.
    """

    browserClass = EverydayFirefox
