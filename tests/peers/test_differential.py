"""
The gateway's replies mean what rtpengine's mean.
"""

import re
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.corpus import CALLS
from tests.peers.deviations import DEVIATIONS, Deviation
from tests.peers.exchange import Exchange, play
from tests.peers.gateway import Gateway
from tests.peers.meaning import differences, meaning
from tests.peers.messages import Call
from tests.peers.ng import NG
from tests.peers.peers import RTPENGINE, needs
from tests.peers.rtpengine import RTPEngine


def compare(ours: Exchange, theirs: Exchange) -> tuple[list[str], set[Deviation]]:
    """
    What two replies do not both mean, one line each, and the intended
    deviations among that, which are not listed.
    """
    found: list[str] = []
    intended: set[Deviation] = set()
    outcomes = [(reply["result"], reply.get("error-reason")) for reply in (ours.reply, theirs.reply)]
    if outcomes[0] != outcomes[1]:
        whole = next((d for d in DEVIATIONS if d.coversOutcome(ours, theirs)), None)
        if whole is None:
            found.append(f"{ours.name}: {outcomes[0]} against {outcomes[1]}")
        else:
            intended.add(whole)
    elif "sdp" in ours.reply:
        for difference in differences(meaning(ours.reply["sdp"]), meaning(theirs.reply["sdp"])):
            one = next((d for d in DEVIATIONS if d.covers(ours, difference)), None)
            if one is None:
                found.append(f"{ours.name}: {difference}")
            else:
                intended.add(one)
    return found, intended


@needs(RTPENGINE)
class DifferentialTests(SynchronousTestCase):
    """
    The corpus, sent to both.
    """

    def setUp(self) -> None:
        """
        Start both.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.gateway = Gateway(Path(directory.name))
        self.addCleanup(self.gateway.end)
        self.rtpengine = RTPEngine(Path(directory.name))
        self.addCleanup(self.rtpengine.end)

    def both(self, call: Call) -> list[tuple[Exchange, Exchange]]:
        """
        Do a call through both.
        """
        played = []
        for media in (self.gateway, self.rtpengine):
            client = NG(media.ngPort)
            try:
                played.append(play(client, call))
            finally:
                client.close()
        return list(zip(*played, strict=True))

    def test_R_15_ownPorts(self) -> None:
        """
        Whatever the gateway tells one party to send to is a port of its own.
        """
        client = NG(self.gateway.ngPort)
        self.addCleanup(client.close)
        for call in CALLS:
            for exchange in play(client, call):
                said = {
                    int(port) for port in re.findall(r"^m=\w+ (\d+)", exchange.reply.get("sdp", ""), re.M)
                }
                self.assertEqual(said - {0} - set(self.gateway.ports), set(), exchange.name)

    def test_sameMeaning(self) -> None:
        """
        Each reply means what rtpengine's means, but for the deviations that
        are intended; and each of those is seen.
        """
        found: list[str] = []
        seen: set[Deviation] = set()
        for call in CALLS:
            for ours, theirs in self.both(call):
                lines, intended = compare(ours, theirs)
                found += lines
                seen |= intended
        self.assertEqual(found, [], "\n" + "\n".join(found))
        self.assertEqual([d.reason for d in DEVIATIONS if d not in seen], [])
