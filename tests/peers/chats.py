"""
Chats and files between a browser and MSRP over TCP: the stories, for any
browser.
"""

from tests.peers.deadline import until
from tests.peers.desk import DeskCase

#: Octets of a file.
FILE = 10_000_000


class Stories(DeskCase):
    """
    What happens, for any browser.
    """

    def test_R_65_files(self) -> None:
        """
        Two channels; the gateway begins DTLS, and connects; files of 10 MB
        arrive as they were, in both directions.
        """
        self.call(0, 2)
        self.opened(0, 2)
        self.assertEqual(self.page("statistics")["role"], "server")
        self.exchange(0, self.far[0], FILE)
        self.exchange(2, self.far[1], 20_000)
        self.hangUp()
        until(lambda: self.page("state") == {"0": "closed", "2": "closed"}, "the channels are closed")
        until(lambda: self.far[0].ended and self.far[1].ended, "the connections are closed")

    def test_R_70_otherRoles(self) -> None:
        """
        The browser begins DTLS, and the far ends connect to the gateway.
        """
        self.call(0, setup="active", dtls="passive")
        self.opened(0)
        self.assertEqual(self.page("statistics")["role"], "client")
        self.exchange(0, self.far[0], FILE)
