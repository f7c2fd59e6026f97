"""
The example of RFC 8873 (clause 4.6): a chat and a file in two data channels.
RFC 6135 and RFC 6714 have none of messages; those of RFC 4975 are with the
tests of what reads them.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.msrp import Factory
from e2aegw.sansio.datachannel import explode
from e2aegw.sansio.sdp import Description, Section
from e2aegw.sansio.terms import Kind, Terms

_SELECTOR = (
    'file-selector:name:"picture1.jpg" type:image/jpeg size:1463440 hash:sha-256:'
    "7C:DF:3E:5D:49:6B:19:E5:12:AB:4A:AD:4A:B1:3F:82:3E:3B:54:12:02:5D:18:DF:49:6B:19:E5:7C:AB:B9:AD"
)
#: The answer is the same with the other role and the other direction.
OFFER, ANSWER = (
    [
        "v=0",
        f"o=- 1 1 IN IP6 {host}",
        "s=-",
        f"c=IN IP6 {host}",
        "t=0 0",
        "m=application 54111 UDP/DTLS/SCTP webrtc-datachannel",
        "a=max-message-size:100000",
        "a=sctp-port:5000",
        'a=dcmap:0 label="chat";subprotocol="msrp"',
        "a=dcsa:0 msrp-cema",
        f"a=dcsa:0 setup:{setup}",
        "a=dcsa:0 accept-types:message/cpim text/plain",
        f"a=dcsa:0 path:msrps://[{host}]:54111/{session};dc",
        'a=dcmap:2 label="file transfer";subprotocol="msrp"',
        f"a=dcsa:2 {direction}",
        "a=dcsa:2 msrp-cema",
        f"a=dcsa:2 setup:{setup}",
        "a=dcsa:2 accept-types:message/cpim",
        "a=dcsa:2 accept-wrapped-types:*",
        f"a=dcsa:2 path:msrps://[{host}]:54111/{session}2;dc",
        f"a=dcsa:2 {_SELECTOR}",
        "a=dcsa:2 file-transfer-id:rjEtHAcYVZ7xKwGYpGGwyn5gqsSaU7Ep",
        "a=dcsa:2 file-range:1-1463440",
    ]
    for host, setup, direction, session in (
        ("2001:db8::3", "active", "sendonly", "si438dsaodes"),
        ("2001:db8::1", "passive", "recvonly", "di551fsaodes"),
    )
)


def channels(lines: list[str]) -> list[Section]:
    """
    The channels of a description.
    """
    (section,) = Description.parse("".join(f"{line}\r\n" for line in lines)).sections
    return [child for _, child in explode(section)]


class ExampleTests(SynchronousTestCase):
    """
    What the example says, as the gateway reads it.
    """

    def test_channels(self) -> None:
        """
        Offer and answer have two channels, each with what is said of it: who
        is active, where messages go, and what the file is.
        """
        for kind, lines, active in ((Kind.OFFER, OFFER, False), (Kind.ANSWER, ANSWER, True)):
            chat, file = channels(lines)
            self.assertEqual(chat.get("accept-types"), "message/cpim text/plain")
            self.assertEqual((file.direction, file.get("accept-wrapped-types")), (lines[14][9:], "*"))
            self.assertEqual(f"file-selector:{file.get('file-selector')}", _SELECTOR)
            self.assertIsNone(chat.get("file-range"))
            for section in (chat, file):
                adapter = Factory(clock=Clock()).buildAdapter("DC/MSRP")
                adapter.configure(section, Terms(kind=kind))()
                self.assertTrue(adapter.cema)
                # We are what the other party is not.
                self.assertIs(adapter.active, active)
                (uri,) = adapter.paths.remote
                self.assertEqual(str(uri), section.get("path"))
