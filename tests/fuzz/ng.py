"""
The fuzz target for what arrives at the ng socket.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio import rtppflags
from e2aegw.sansio.ng import parse, serialize
from tests.gateway.sipproxy import Proxy

#: Good datagrams, to be made bad.
SEEDS = (
    b"0_14607_0 d7:command4:pinge",
    b"0_14615_0 d8:supportsl10:load limite3:sdp5:v=0\r\n3:ICE6:remove5:flagsl13:trust-address6:WebRTCe"
    b"7:replacel6:origine18:transport-protocol7:RTP/AVP18:transport-protocol8:RTP/SAVP"
    b"8:rtcp-muxl5:demuxe7:call-id1:c13:received-froml3:IP49:127.0.0.1e8:from-tag1:f3:TOSi184e"
    b"7:command5:offere",
    b'7 {"command":"offer","call-id":"c","from-tag":"f","sdp":"v=0","codec":{"strip":["PCMA"]},'
    b'"rtpp-flags":"ICE=force SDES=[off] direction=[access core] SDP-attr=[audio=[add=[x y]]] DTLS AVPF"}',
    b"8 d7:command6:delete7:call-id1:c12:delete delay1:5e",
    b"9 d7:command5:query7:call-id1:c8:from-tag1:fe",
)


def ng(data: bytes) -> None:
    """
    Send a datagram, and the same from somebody else.  Whatever has a cookie
    gets a reply with that cookie, which can be read.
    """
    proxy = Proxy()
    for source in (("192.0.2.1", 1), ("192.0.2.1", 1), ("192.0.2.2", 1)):
        for reply in proxy.send(data, source):
            assert reply.partition(b" ")[0] == data.partition(b" ")[0]
            assert parse(reply).fields["result"] in ("ok", "pong", "error")
    assert not proxy.control.counters["mistakes"]
    with suppress(RemoteError):
        message = parse(data)
        if not message.error:
            again = parse(serialize(message.cookie, message.encoding, message.fields))
            assert again.fields == message.fields
    rtppflags.parse(data.decode("utf-8", "surrogateescape"))
