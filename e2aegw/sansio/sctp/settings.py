"""
What can be chosen about an association, and the limits.
"""

from dataclasses import dataclass

#: An association has no more streams than this (RFC 8831 clause 6.2); the
#: stream 65535 is not used (RFC 8832 clause 6).
MAX_STREAMS = 65535

#: What a message, or a fragment that waits for its neighbours, costs beside
#: its bytes.  It is counted against the receive window, so that a million
#: one-byte messages are not taken for a megabyte.
OVERHEAD = 128

#: How far above the receive window memory may grow for the sake of fragments
#: and messages that wait for missing ones, as a factor.  An honest sender
#: stays within the window; one whose incomplete messages fill it is let on to
#: complete them, for neither side could do anything else.
REASSEMBLY_FACTOR = 4

#: Most bytes of replies (to HEARTBEAT, to unknown chunks, ...) that wait to be
#: sent.  More than that is not answered.
MAX_CONTROL = 16384

#: Most whole packets that wait to be sent for somebody whose tag is not the
#: association's: INIT ACK, ABORT, SHUTDOWN COMPLETE.
MAX_REPLIES = 16

#: Most new packets after one acknowledgement, however much the window allows:
#: RFC 9260 clause 6.1 D, "Max.Burst".
MAX_BURST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    The parameters of an association.  Times are in seconds, sizes in bytes.

    @ivar localPort: ours, C{a=sctp-port} (RFC 8841).
    @ivar remotePort: the other side's.
    @ivar maxPacket: the largest SCTP packet to send.  The default is what
        RFC 8261 clause 5 and RFC 8831 clause 5 leave of 1,280 bytes of IPv6
        with UDP, DTLS and a TURN channel.
    @ivar outboundStreams: how many to ask for.
    @ivar inboundStreams: how many to allow.
    @ivar receiveWindow: how much may be on its way here, or wait to be taken.
    @ivar outOfOrder: how much more may wait for something that got lost.  It
        is not taken from the window: where packets get lost all the time there
        always is a gap, and half of the window, or more, would never be of
        use.
    @ivar maxMessage: the largest message to accept, C{a=max-message-size}.
    @ivar maxQueued: how much C{send} may queue, waiting and in flight.
    @ivar lowWater: when the bytes that wait in a stream fall to this, there is
        an event.
    @ivar interleaving: whether to offer I-DATA (RFC 8260).
    @ivar zeroChecksum: whether packets without a checksum are accepted, and
        sent if the other side accepts them (RFC 9653).  It needs DTLS
        underneath.
    @ivar lossTolerant: whether losses that do not come with a queue leave the
        sending rate alone, for the sake of lossy paths.  RFC 9260 clause 7
        allows only to be more conservative than it is, which this is not.
    @ivar rtoInitial: the retransmission timeout before there is a measurement.
    @ivar rtoMin: its lower bound.  RFC 9260 clause 16 recommends a second;
        200 ms of the other side's delayed acknowledgement and as much again
        are enough, and a lost tail of a message costs less.
    @ivar rtoMax: its upper bound.
    @ivar sackDelay: how long a single packet may wait for its acknowledgement.
    @ivar heartbeat: how long the association may be silent before it asks.
        RFC 9260 clause 16 recommends 30 s, which is what browsers do; who was
        asked has heard the other side, and need not ask.
    @ivar maxInitRetransmits: how often INIT and COOKIE ECHO are sent again.
    @ivar maxRetransmits: how many timeouts in a row mean that nobody is there.
    @ivar cookieLifetime: how long a state cookie is good.
    """

    localPort: int = 5000
    remotePort: int = 5000
    maxPacket: int = 1191
    outboundStreams: int = MAX_STREAMS
    inboundStreams: int = MAX_STREAMS
    receiveWindow: int = 1 << 20
    outOfOrder: int = 0
    maxMessage: int = 1 << 18
    maxQueued: int = 1 << 24
    lowWater: int = 1 << 16
    interleaving: bool = True
    zeroChecksum: bool = True
    lossTolerant: bool = False
    rtoInitial: float = 1.0
    rtoMin: float = 0.4
    rtoMax: float = 60.0
    sackDelay: float = 0.2
    heartbeat: float = 60.0
    maxInitRetransmits: int = 8
    maxRetransmits: int = 10
    cookieLifetime: float = 60.0
