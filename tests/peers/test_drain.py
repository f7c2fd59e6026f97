"""
A gateway that is told to stop while there is a call.
"""

import os
import signal
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.gateway.sipproxy import SDP
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.ng import NG


class DrainTests(SynchronousTestCase):
    """
    SIGTERM, with C{limits.drain_timeout}.
    """

    def test_callGoesOn(self) -> None:
        """
        The call goes on until its proxy ends it, new ones are sent elsewhere,
        and then the process ends in good order.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        gateway = Gateway(Path(directory.name) / "gateway", "[limits]\ndrain_timeout = 60\n")
        self.addCleanup(gateway.end)
        ng = NG(gateway.ngPort)
        self.addCleanup(ng.close)
        call = {"call_id": "a call", "from_tag": "ann"}
        self.assertEqual(ng.command("offer", **call, sdp=SDP)["result"], "ok")
        os.kill(gateway.pid, signal.SIGTERM)
        until(lambda: "1 calls may go on for 60.0 s" in gateway.output(), "the gateway heard the signal")
        self.assertEqual(ng.command("query", **call)["result"], "ok")
        late = {"call_id": "another", "from_tag": "ann", "supports": ["load limit"]}
        self.assertEqual(ng.command("offer", **late, sdp=SDP)["result"], "load limit")
        self.assertEqual(ng.command("delete", **call)["result"], "ok")
        until(gateway.ended, "the gateway ends")
