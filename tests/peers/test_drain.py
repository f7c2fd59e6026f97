"""
A gateway that is told to stop while there is a call.
"""

import json
import os
import signal
import socket
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
        and then the process ends in good order.  Meanwhile events are told.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        events = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(events.close)
        events.bind(("127.0.0.1", 0))
        events.settimeout(5)
        more = f'[limits]\ndrain_timeout = 60\n[events]\nudp = "127.0.0.1:{events.getsockname()[1]}"\n'
        gateway = Gateway(Path(directory.name) / "gateway", more)
        self.addCleanup(gateway.end)
        ng = NG(gateway.ngPort)
        self.addCleanup(ng.close)
        call = {"call_id": "a call", "from_tag": "ann"}
        self.assertEqual(ng.command("offer", **call, sdp=SDP)["result"], "ok")
        os.kill(gateway.pid, signal.SIGTERM)
        until(lambda: "1 calls may go on for 60.0 s" in gateway.output(), "the gateway heard the signal")
        self.assertEqual(ng.command("query", **call)["result"], "ok")
        again = f"{SDP}m=x-unknown 9000 x-unknown *\r\n"
        self.assertEqual(ng.command("offer", **call, sdp=again)["result"], "ok")
        told = json.loads(events.recv(65536))
        self.assertEqual((told["event"], told["call-id"], told["line"]), ("LineRefused", "a call", 1))
        late = {"call_id": "another", "from_tag": "ann", "supports": ["load limit"]}
        self.assertEqual(ng.command("offer", **late, sdp=SDP)["result"], "load limit")
        self.assertEqual(ng.command("delete", **call)["result"], "ok")
        until(gateway.ended, "the gateway ends")
