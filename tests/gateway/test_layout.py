"""
Tests for L{e2aegw.gateway.layout}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.layout import MAX_PLACES, Layout
from e2aegw.sansio.sdp import Line, Section


def carrier(first: int, count: int) -> Section:
    """
    A section with channels in these streams.
    """
    maps = [Line("dcmap", f'{stream} subprotocol="bfcp"') for stream in range(first, first + count)]
    return Section("application", 9, "UDP/DTLS/SCTP", ("webrtc-datachannel",), lines=maps)


class LimitTests(SynchronousTestCase):
    """
    What is remembered of a party.
    """

    def test_newStreamsInEachOffer(self) -> None:
        """
        A party that has other channels in each offer gets no more of them at
        some point; lines it still gets.
        """
        layout, first = Layout(), 0
        while len(layout.places) < MAX_PLACES:
            sections = layout.explode([carrier(first, 50)], offer=True)
            self.assertEqual(
                len([each for each in sections if not each.rejected]), min(50, MAX_PLACES - first)
            )
            first += 50
        sections = layout.explode([carrier(first, 50)], offer=True)
        self.assertEqual([each for each in sections if not each.rejected], [])
        layout.explode([carrier(first, 50), Section("audio", 5000, "RTP/AVP", ("0",))], offer=True)
        self.assertEqual(len(layout.places), MAX_PLACES + 1)
        self.assertEqual(layout.places[-1].line, 1)
