"""
Every promise that one part of the gateway makes to another.

Who writes an adapter reads L{IAdapterFactory}, L{IAdapter} and
L{IMediaTransport}.  Who embeds the gateway reads L{IGateway}, L{ISession} and
L{IGatewayObserver}.

A method without C{@raise} does not raise.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence, Set
from typing import Any, TypeAlias

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocol, IProtocolFactory, ITransport
from zope.interface import Attribute, Interface

from e2aegw.sansio.events import Event
from e2aegw.sansio.flow import Address, Flow, Path, Transform
from e2aegw.sansio.report import SessionReport
from e2aegw.sansio.sdp import Line, Section, Side
from e2aegw.sansio.srtp import Context
from e2aegw.sansio.terms import Terms

#: What L{ILegPart.configure} returns: call it to make the change.
Apply: TypeAlias = Callable[[], None]

#: Called with a datagram and where it came from.
Receive: TypeAlias = Callable[[bytes, Address], None]


class ILegPart(Interface):
    """
    A transport or an adapter: half of a leg.

    Each part reads and writes the attributes of a media section that it owns,
    and no others (L{e2aegw.sansio.sdp.HOP_BY_HOP}).
    """

    notify: Callable[[Event], None] = Attribute("""The only way up; set by the pipeline.""")

    counters: MutableMapping[str, int] = Attribute(
        """
        How often things happened, by name.  Names that begin with
        C{"dropped "} count what was refused.
        """
    )

    def configure(section: Section, terms: Terms) -> Apply:
        """
        Check what the party at the far end of this leg wrote, and return what
        applies it.  Nothing changes before that is called, so a description
        that is refused leaves nothing half changed.

        @raise NegotiationError: this part cannot agree to the section.
        """

    def describe(terms: Terms) -> Sequence[Line]:
        """
        Our own attributes, for the section that goes to the party at the far
        end of this leg.

        @raise NegotiationError: nothing that could be written satisfies the
            terms.
        """


class IDatagramPort(Interface):
    """
    A bound UDP port.
    """

    address: Address = Attribute("""Where it is bound.""")

    def sendto(data: bytes, destination: Address) -> object:
        """
        Send a datagram.

        @raise OSError: the system did not take it.
        """

    def setTOS(tos: int) -> None:
        """
        Send with this traffic class octet from now on.
        """

    def close() -> None:
        """
        Release the port, now.
        """


class IDatagramNetwork(Interface):
    """
    Where ports come from: the system's sockets, or a test's.
    """

    def bind(address: Address, receive: Receive) -> IDatagramPort:
        """
        Open a port.

        @param receive: called with each datagram and its source.

        @raise OSError: the port is taken or the address is not ours.
        """


class IPortSource(Interface):
    """
    Where transports get their UDP ports: one address and a range.
    """

    advertised: str = Attribute("""The address that descriptions say.""")

    def open(receivers: Sequence[Receive]) -> list[IDatagramPort]:
        """
        Take one port, or two neighbours of which the first is even.

        @raise ResourceError: there are none.
        """

    def reopen(port: IDatagramPort, receive: Receive) -> IDatagramPort:
        """
        Open the second port again, beside the first.

        @raise ResourceError: somebody else has it.
        """

    def close(port: IDatagramPort) -> None:
        """
        Give a port back.
        """


class IStreamPortSource(Interface):
    """
    Where transports get TCP ports to listen on: one address and a range.
    """

    host: str = Attribute("""The address that ports are bound to.""")
    advertised: str = Attribute("""The address that descriptions say.""")

    def listen(factory: IProtocolFactory) -> IListeningPort:
        """
        Listen on a port.

        @raise ResourceError: there is none.
        """

    def unlisten(port: IListeningPort) -> None:
        """
        Stop listening, and give the port back.
        """


class IMediaTransport(ILegPart):
    """
    Carries bytes to one network party.
    """

    localAddress: Address = Attribute("""What the description says of us: host and port.""")

    def attach(protocol: IProtocol) -> None:
        """
        Connect a protocol: it gets C{makeConnection} now and C{dataReceived}
        with each datagram or piece of a stream.

        A transport that has to be connected first has an attribute
        C{connected}.  It calls C{connectionOpened}, if the protocol has that,
        when it becomes true, and C{connectionLost} when it is no more; this
        may happen several times.

        If C{dataReceived} raises L{e2aegw.errors.RemoteError}, the datagram
        is counted by that error's reason, and nothing is learned from it.
        """

    def write(data: bytes) -> None:
        """
        Send.  What cannot be sent, because nobody is there or the system is
        out of buffers, is counted.
        """

    def writeControl(data: bytes) -> None:
        """
        Send an RTCP packet: on the RTCP port, or on the only one if RTP and
        RTCP are multiplexed (RFC 5761).
        """

    def loseConnection() -> None:
        """
        Let go of ports, timers and keys, now.
        """


class IDatagramTransport(IMediaTransport):
    """
    A transport whose packets a datapath may move.
    """

    def path() -> Path | None:
        """
        Where RTP packets travel, or L{None} as long as that is not settled.
        """

    def datagramReceived(data: bytes, source: Address) -> None:
        """
        The door that every datagram for the RTP port comes through; a datapath
        uses it to hand back what it does not understand.
        """


class IKeyExporter(Interface):
    """
    A transport that agrees on keys for somebody else (RFC 5764 clause 4.2).
    """

    def contexts(control: bool) -> tuple[Context, Context] | None:
        """
        What unprotects what arrives and protects what is sent, or L{None}
        before the handshake's end.  The pair is made once for each
        association and shared by all who ask.

        @param control: for RTCP, which without RTP/RTCP multiplexing has an
            association of its own.
        """


class IAdapter(IProtocol, ILegPart):
    """
    Speaks one medium to one network party.

    Units go from one adapter straight to its peer.
    """

    medium: str = Attribute("""C{"rtp"}, C{"udptl"}, C{"msrp"}, C{"bfcp"}, C{"text"}, ...""")
    authenticates: bool = Attribute("""Whether C{dataReceived} refuses what is not authentic.""")
    passes: Set[str] = Attribute(
        """The hop-by-hop attributes that, in this adapter's lines, are end to end after all."""
    )
    peer: Any = Attribute("""The adapter on the other leg, an L{IAdapter}; set by the pipeline.""")

    def sendUnit(unit: Any) -> None:
        """
        Say this to the network party.  Called for every unit: it does not
        wait.  What cannot be said is counted.
        """


class ITranslator(Interface):
    """
    An adapter that does not repeat what the other party says of the medium,
    but says it in words of its own.
    """

    formats: Sequence[str] = Attribute("""What stands in its C{m=} line, from C{describe} on.""")

    def translate(lines: Sequence[Line]) -> Sequence[Line]:
        """
        The attributes of the other party that may cross, as they are said on
        this leg.
        """


class IAdapterFactory(Interface):
    """
    The whole plug-in API.
    """

    medium: str = Attribute("""The medium that its adapters speak.""")
    protos: Mapping[str, str] = Attribute(
        """
        The protos that it can offer, in upper case, and for each the kind of
        transport that carries it, one of L{e2aegw.transport.kinds}' names.
        """
    )

    def claim(section: Section) -> str | None:
        """
        The kind of transport under a section that this factory's adapters
        understand, or L{None}: not mine.
        """

    def buildAdapter(proto: str) -> IAdapter:
        """
        Build an adapter for a leg that speaks this proto.
        """


class IFilter(Interface):
    """
    Stands between two adapters of one medium, for one line of one call, and
    sees every unit.
    """

    notify: Callable[[Event], None] = Attribute(
        """Tells what happens, as of the access side's line; set by the pipeline."""
    )

    counters: MutableMapping[str, int] = Attribute(
        """How often things happened, by name; reported with the access side's line."""
    )

    def unitReceived(unit: Any, side: Side, send: Callable[[Any], None]) -> None:
        """
        There is a unit.

        @param unit: of the type that the medium's adapters have for their
            units.
        @param side: where it came from.  If both parties are on one side, the
            one that made the first offer counts as the access side.
        @param send: says a unit to the other party; to be called for whatever
            shall go on: this unit, others instead, or none; now or later.

        @raise RemoteError: it is not to go on, and this is how to count that.
        """

    def described(section: Section, side: Side) -> None:
        """
        What a party wrote of this line is in force: its formats, for example.
        """

    def close() -> None:
        """
        The line is over: let go of timers and files.
        """


class IFilterFactory(Interface):
    """
    What has an entry point in the group C{e2aegw.filters}.
    """

    medium: str = Attribute("""The medium whose units its filters understand.""")

    def buildFilter() -> IFilter:
        """
        Build a filter for one line of one call.
        """


class IOffloadable(Interface):
    """
    An adapter whose work on a packet can be put into a L{Transform}.
    """

    def transform() -> Transform | None:
        """
        What happens to a packet, or L{None} as long as that is not settled.
        """

    def packetsMoved(packets: int, octets: int, sent: bool) -> None:
        """
        Count what a datapath moved on this leg.
        """


class IOffload(Interface):
    """
    A pipeline that is in the care of a datapath.
    """

    def collect() -> None:
        """
        Tell the adapters what was moved since the last time
        (L{IOffloadable.packetsMoved}).
        """

    def revoke() -> None:
        """
        Let go, now: the next packet comes through the transport's door.
        """


class IDatapath(Interface):
    """
    Something faster than the adapters that moves a pipeline's RTP packets.
    """

    def offload(
        a: Flow, b: Flow, transports: tuple[IDatagramTransport, IDatagramTransport], adapters: tuple[Any, Any]
    ) -> IOffload | None:
        """
        Take over both directions as far as their paths are proven, or return
        L{None}.  Whatever is not an RTP packet from a proven remote party, and
        whatever cannot be unprotected, goes to the transport's door.
        """


class ISession(Interface):
    """
    One call.
    """

    label: str = Attribute("""What the log calls it.""")

    def offer(
        sdp: str, side: Side | None = None, terms: Terms = ..., answerer: bool = False
    ) -> Deferred[str]:
        """
        Translate an offer.  The same offer again has the same result.

        @param side: the side that the first offer comes from, or L{None} to
            infer it.
        @param answerer: whether the offer comes from the party that answered
            the first one.

        @return: the offer for the other side.  It fails with
            L{e2aegw.errors.NegotiationError} if the offer cannot be read,
            with L{e2aegw.errors.UsageError} after C{close}, or with
            L{e2aegw.errors.ResourceError} if ports ran out.
        """

    def answer(sdp: str, terms: Terms = ...) -> Deferred[str]:
        """
        Translate an answer to the last offer; a later answer replaces an
        earlier one.

        @return: the answer for who made the offer.  It fails with
            L{e2aegw.errors.NegotiationError} if the answer cannot be read, or
            with L{e2aegw.errors.UsageError} if there was no offer.
        """

    def block(answerer: bool, blocked: bool) -> None:
        """
        Let through what a party sends, or do not, on all lines of packets
        (TS 23.334: through-connection).  It holds for lines that are added
        later, too.

        @param answerer: whether it is the party that answered the first
            offer.
        """

    def report() -> SessionReport:
        """
        How the call stands.
        """

    def whenClosed() -> Deferred[None]:
        """
        Fires when the session is closed, by whomever.
        """

    def close() -> None:
        """
        End the call.  Ports, timers and keys are gone when this returns.
        """


class IGatewayObserver(Interface):
    """
    Somebody who wants to know what happens in calls.
    """

    def happened(session: ISession, event: Event) -> None:
        """
        Something happened.  An exception from here is logged and does not hurt
        the call.
        """


class IGateway(IService, Interface):
    """
    The service.
    """

    def newSession(label: str) -> ISession:
        """
        Begin a call.

        @raise ResourceError: there are as many calls as are allowed.
        """

    def addObserver(observer: IGatewayObserver) -> None:
        """
        Tell this one, too, what happens.
        """


__all__ = [
    "Address",
    "Apply",
    "IAdapter",
    "IAdapterFactory",
    "IDatagramNetwork",
    "IDatagramPort",
    "IDatagramTransport",
    "IDatapath",
    "IFilter",
    "IFilterFactory",
    "IGateway",
    "IGatewayObserver",
    "IKeyExporter",
    "ILegPart",
    "IMediaTransport",
    "IOffload",
    "IOffloadable",
    "IPortSource",
    "ISession",
    "IStreamPortSource",
    "ITranslator",
    "ITransport",
    "Receive",
]
