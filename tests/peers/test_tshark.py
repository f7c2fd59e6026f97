"""
What goes over TCP, as tshark reads it: every message that there is, and calls of
browsers.
"""

import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sdp import Line
from tests.adapter.msrpcall import Call
from tests.peers import chats
from tests.peers.browsers import Chromium, Firefox
from tests.peers.peers import CHROMIUM, FIREFOX, TSHARK, needs

#: The ports that the packets are said to be from and to.
PORTS = "40000,2855"
#: What tshark calls a warning; a note is less.
WARNING = 0x600000
#: A file.  tshark takes a semicolon in it for a parameter of its type, and NUL
#: for the end of a string that goes on.
ROWS = b"number,name\r\n" * 1000
#: What is asked of each packet.
FIELDS = ("frame.protocols", "msrp.method", "msrp.status.code", "msrp.messageid", "_ws.expert.severity")


@needs(TSHARK)
class MSRPTests(SynchronousTestCase):
    """
    Chats between a data channel and TCP.
    """

    def decode(self, messages: list[bytes]) -> list[list[str]]:
        """
        Have tshark read these, one in each packet: its dissector takes only
        the first message of a packet for one.

        @return: the L{FIELDS} of each.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        text, packets = Path(directory.name, "text"), Path(directory.name, "packets")
        rows = [
            f"{at:06x} {message[at : at + 16].hex(' ')}\n"
            for message in messages
            for at in range(0, len(message), 16)
        ]
        text.write_text("".join(rows))
        run = ["text2pcap", "-q", "-T", PORTS, str(text), str(packets)]
        subprocess.run(run, check=True, capture_output=True)
        fields = [word for field in FIELDS for word in ("-e", field)]
        run = ["tshark", "-r", str(packets), "-T", "fields", *fields]
        told = subprocess.run(run, check=True, capture_output=True, text=True)
        return [line.split("\t") for line in told.stdout.splitlines()]

    def test_everyMessage(self) -> None:
        """
        Whatever the gateway writes to TCP for a channel that chats, sends
        files, reports and does what few do, is MSRP without a warning.
        """
        heard = []
        for lines, answers in (((Line("msrp-cema"),), ()), ((), None)):
            call = Call("DC/MSRP", "TCP/MSRP", limit=65536)
            call.establish(*lines, answers=answers)
            call.a.say("Grüße, und gute Nacht".encode(), "words", "Success-Report: yes")
            call.a.say(
                ROWS,
                "file",
                'Content-Disposition: attachment; filename="a b"',
                chunk=5000,
            )
            call.a.request("SEND", ["Message-ID: cut", "Byte-Range: 1-*/9", "Content-Type: a/b"], b"abc", "#")
            call.a.request("SEND", ["Message-ID: no", "Byte-Range: 1-*/*", "Content-Type: a/b"], b"", "$")
            call.a.request("NICKNAME", ['Use-Nickname: "Alice"'])
            call.b.say(b"words", "back", "Success-Report: yes")
            call.b.request(
                "SEND", ["Message-ID: lost", "Byte-Range: 1-1/1"], b"x", to="msrp://nobody:1/x;tcp"
            )
            call.run()
            heard += [*call.b.requests, *call.b.responses]
            call.close()
        rows = self.decode([each.raw for each in heard])
        self.assertEqual(len(rows), len(heard))
        for row, each in zip(rows, heard, strict=True):
            protocols, method, status, messageID, severity = row
            self.assertIn(":tcp:msrp", protocols, row)
            self.assertEqual(method or status, each.what.split()[0].decode())
            self.assertEqual(messageID, each.get("Message-ID"))
            self.assertTrue(all(int(level) < WARNING for level in severity.split(",") if level), row)
        self.assertLessEqual({b"SEND", b"REPORT", b"NICKNAME", b"200 OK"}, {each.what for each in heard})


@needs(CHROMIUM, TSHARK)
class ChromiumTests(chats.DecodedStories):
    """
    Chromium.
    """

    browserClass = Chromium


@needs(FIREFOX, TSHARK)
class FirefoxTests(chats.DecodedStories):
    """
    Firefox.
    """

    browserClass = Firefox
