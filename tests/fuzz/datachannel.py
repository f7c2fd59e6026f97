"""
The fuzz target for data channels in descriptions.
"""

from contextlib import suppress

from e2aegw.errors import NegotiationError
from e2aegw.sansio import datachannel
from e2aegw.sansio.sdp import Description, Section

_HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

#: Good sections.
SEEDS = (
    _HEAD
    + b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\na=max-message-size:0\r\n"
    b'a=dcmap:0 label="chat";subprotocol="msrp"\r\na=dcsa:0 msrp-cema\r\na=dcsa:0 setup:active\r\n'
    b'a=dcmap:2 subprotocol="bfcp";max-time=60000;priority=512\r\na=dcsa:2 floorctrl:c-only\r\n'
    b'a=dcmap:4 label="foo%09bar";ordered=true;subprotocol="t140"\r\na=dcsa:4 fmtp:t140 cps=30\r\n',
    _HEAD + b"m=application 9 DTLS/SCTP webrtc-datachannel\r\na=sctp-port 5000\r\n"
    b'a=dcmap:3 label="Label 1";ordered=false;max-retr=5;subprotocol="t38"\r\n',
)


def channels(data: bytes) -> None:
    """
    Read the channels of each section.  What was read can be written again.
    """
    with suppress(NegotiationError):
        for section in Description.parse(data.decode(errors="surrogateescape")).sections:
            datachannel.isCarrier(section)
            with suppress(NegotiationError):
                assert 0 <= datachannel.port(section) <= 65535
            with suppress(NegotiationError):
                assert datachannel.maxMessageSize(section) >= 0
            children = datachannel.explode(section)
            lines = datachannel.implode((channel, child.lines) for channel, child in children)
            whole = Section(
                section.media,
                section.port,
                section.proto,
                section.formats,
                address=section.address,
                lines=lines,
            )
            again = datachannel.explode(whole)
            assert [child for _, child in again] == [child for _, child in children]
            assert [channel.line() for channel, _ in again] == [channel.line() for channel, _ in children]
