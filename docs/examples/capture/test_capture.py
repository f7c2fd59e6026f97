"""
The capture adapter's own tests.
"""

import io
import struct
import tempfile
from pathlib import Path
from typing import Any

from e2aegw_capture import CaptureFile, Factory
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ConfigError
from e2aegw.sansio.flow import Path as MediaPath
from e2aegw.testing import AdapterContract, MemoryAdapter, MemoryTransport

PACKET = b"\x80\x00\x00\x01" + bytes(8) + b"speech"


class SettledTransport(MemoryTransport):
    """
    A transport that knows where its party is.
    """

    def path(self) -> MediaPath:
        """
        See L{e2aegw.interfaces.IDatagramTransport}.
        """
        return MediaPath(("192.0.2.1", 4000), ("192.0.2.2", 5000), proven=True)


class CaptureContract(AdapterContract, SynchronousTestCase):
    """
    What every adapter has to promise.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return Factory(folder=self.mktemp_())

    def makeTransport(self, proto: str) -> Any:
        """
        See L{AdapterContract}.
        """
        return SettledTransport()

    def mktemp_(self) -> str:
        """
        A new folder.
        """
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name

    def units(self) -> list[bytes]:
        """
        See L{AdapterContract}.
        """
        return [PACKET]


class CaptureTests(SynchronousTestCase):
    """
    What this adapter does besides.
    """

    def test_file(self) -> None:
        """
        Both directions are in the file, in a form that Wireshark reads.
        """
        with tempfile.TemporaryDirectory() as folder:
            adapter = Factory(folder=folder).buildAdapter("RTP/AVP")
            adapter.peer = MemoryAdapter("rtp")
            adapter.makeConnection(SettledTransport())
            adapter.dataReceived(PACKET)
            adapter.sendUnit(PACKET)
            adapter.connectionLost()
            [path] = Path(folder).iterdir()
            data = path.read_bytes()
        self.assertEqual(data[:4], b"\xd4\xc3\xb2\xa1")
        self.assertEqual(data.count(PACKET), 2)
        ports = [struct.unpack_from("!HH", data, data.index(PACKET) - 8)]
        self.assertEqual(ports, [(5000, 4000)])

    def test_limit(self) -> None:
        """
        A file does not grow beyond its limit; media goes on.
        """
        stream = io.BytesIO()
        capture = CaptureFile(stream, 150, lambda: 1.5)
        ends = (("192.0.2.1", 4000), ("192.0.2.2", 5000))
        self.assertEqual([capture.write(PACKET, *ends) for _ in range(4)], [True, True, False, False])
        self.assertLessEqual(len(stream.getvalue()), 150)

    def test_folder(self) -> None:
        """
        A folder that is not there is a mistake in the configuration.
        """
        with self.assertRaises(ConfigError):
            Factory(folder="/nonexistent/folder")
