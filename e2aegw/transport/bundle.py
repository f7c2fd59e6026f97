"""
One transport that several media sections share (RFC 9143).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IProtocol
from zope.interface import implementer

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IDatagramTransport, IKeyExporter
from e2aegw.sansio.e2ae import Protection
from e2aegw.sansio.events import Event, PathChanged
from e2aegw.sansio.flow import Path
from e2aegw.sansio.rtp import mid as midOf
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import MAX_SOURCES, Context
from e2aegw.sansio.terms import Terms
from e2aegw.transport.dtls import DTLSTransport
from e2aegw.transport.dtlskeys import DTLSKeyTransport
from e2aegw.transport.udp import UDPTransport

_MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
#: The number that an attribute begins with.  Python refuses to read thousands
#: of digits.
_NUMBER = re.compile(r"[0-9]{1,10}(?![0-9])")
#: What a section without RTP does not say of RTCP.
_CONTROL = frozenset({"rtcp", "rtcp-mux", "rtcp-mux-only"})


@implementer(IHandshakeListener)
class Bundle:
    """
    Tells the packets of a shared transport apart (RFC 9143 clause 9.2): by the
    source, if it was told or seen before; by the MID header extension; by the
    payload type.  What comes inside DTLS belongs to the section that carries
    data channels.

    @ivar streams: the sections' shares.
    @ivar kind: what they have in common.
    @ivar speaker: the one whose section tells of the transport.
    """

    def __init__(self, transport: UDPTransport, kind: str) -> None:
        """
        @param kind: what sections must have in common to share it.
        """
        self.transport = transport
        self.kind = kind
        self.streams: list[BundleStream] = []
        # Those of RTP.
        self._media: list[BundleStream] = []
        self._sources: dict[bytes, BundleStream] = {}
        self._attached = False
        self.speaker: BundleStream | None = None
        transport.notify = self._happened

    def add(self, mid: str) -> "BundleStream":
        """
        A share for one more section.
        """
        stream = (KeyedBundleStream if isinstance(self.transport, DTLSKeyTransport) else BundleStream)(
            self, mid
        )
        self.streams.append(stream)
        self._media.append(stream)
        self._setKeyless()
        # What arrives must be told apart from now on.
        self._happened(PathChanged(reason="another section shares the transport"))
        return stream

    def addRecords(self, mid: str) -> "BundleRecords":
        """
        A share for the section that carries data channels.

        @raise NegotiationError: there is one, and a DTLS association is under
            one SCTP association at most (RFC 8841 clause 3); or there is no
            DTLS.
        """
        if not isinstance(self.transport, DTLSTransport):
            raise NegotiationError("data channels in a bundle without DTLS")
        if any(isinstance(stream, BundleRecords) for stream in self.streams):
            raise NegotiationError("the bundle has data channels already")
        stream = BundleRecords(self, mid)
        self.streams.append(stream)
        self._setKeyless()
        return stream

    @property
    def mediaCount(self) -> int:
        """
        How many of its sections are RTP.
        """
        return len(self._media)

    def _setKeyless(self) -> None:
        if isinstance(self.transport, DTLSKeyTransport):
            self.transport.keyless = not self._media

    def remove(self, stream: "BundleStream") -> None:
        """
        A section is gone; with the last, so is the transport.
        """
        if stream in self.streams:
            self.streams.remove(stream)
            if stream in self._media:
                self._media.remove(stream)
            elif isinstance(self.transport, DTLSKeyTransport):
                self.transport.inside = None
            self._setKeyless()
            if self.speaker is stream:
                self.speaker = None
            self._sources = {ssrc: each for ssrc, each in self._sources.items() if each is not stream}
            if not self.streams:
                self.transport.loseConnection()

    def begin(self) -> None:
        """
        There is a new description: the first section that can be agreed to
        speaks for the transport (RFC 9143 clause 7.1).
        """
        self.speaker = None

    def attach(self, stream: "BundleStream") -> None:
        """
        A section is ready for what arrives.
        """
        if not self._attached:
            self._attached = True
            self.transport.attach(self)  # type: ignore[arg-type]
        elif self._secured(stream) and IHandshakeListener.providedBy(stream.protocol):
            # It comes to an association that there is already.
            stream.protocol.handshakeCompleted()

    def learn(self, stream: "BundleStream", section: Section) -> None:
        """
        A section names its sources (RFC 5576).  Those that it had may be gone.
        """
        self._sources = {source: each for source, each in self._sources.items() if each is not stream}
        for value in section.all("ssrc"):
            number = _number(value)
            if number is not None and len(self._sources) < MAX_SOURCES:
                self._sources[(number & 0xFFFFFFFF).to_bytes(4, "big")] = stream

    def makeConnection(self, transport: object) -> None:
        """
        See L{IProtocol}; the transport is known already.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        A packet for one of the sections.

        @raise RemoteError: it belongs to none, or its section refuses it.
        """
        # An empty report has eight octets, a packet twelve.
        if len(data) < 8:
            raise RemoteError("malformed RTP")
        if 192 <= data[1] <= 223:
            stream = self._sources.get(data[4:8])
            if stream is None:
                if not self._media:
                    raise RemoteError("no section of the bundle")
                # Whoever only receives has no source that could be known.
                stream = self._media[0]
            stream.protocol.dataReceived(data)
            return
        if len(data) < 12:
            raise RemoteError("malformed RTP")
        source = data[8:12]
        stream = self._sources.get(source)
        if stream is not None:
            stream.protocol.dataReceived(data)
            return
        stream = self._find(data)
        stream.protocol.dataReceived(data)
        if len(self._sources) < MAX_SOURCES:
            self._sources[source] = stream

    @property
    def authenticates(self) -> bool:
        """
        See L{IAdapter}.
        """
        return all(getattr(stream.protocol, "authenticates", False) for stream in self.streams)

    def _secured(self, stream: "BundleStream") -> bool:
        transport = self.transport
        if not isinstance(transport, DTLSKeyTransport) or not transport.secured:
            return False
        return isinstance(stream, BundleRecords) or transport.contexts(False) is not None

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        for stream in self.streams:
            if IHandshakeListener.providedBy(stream.protocol):
                stream.protocol.handshakeCompleted()

    def _find(self, data: bytes) -> "BundleStream":
        if len(self._media) == 1:
            return self._media[0]
        payloadType = str(data[1] & 0x7F)
        for stream in self._media:
            if stream.midExtension and midOf(data, stream.midExtension) == stream.mid:
                return stream
        for stream in self._media:
            if payloadType in stream.formats:
                return stream
        raise RemoteError("no section of the bundle")

    def _happened(self, event: Event) -> None:
        for stream in list(self.streams):
            stream.notify(event)


def common(kind: str, protection: Protection | None) -> str:
    """
    What sections must have in common to share a transport.  Whom to believe
    depends on whether packets prove who they are from.

    @param kind: the kind of transport.
    """
    return f"{kind} {protection.value if protection is not None else 'other'}"


def sharable(transport: Any) -> Any:
    """
    A browser's transport, as a bundle of one that others can join later;
    any other as it is.
    """
    if not isinstance(transport, DTLSKeyTransport):
        return transport
    return Bundle(transport, common("dtls-srtp", Protection.DTLS)).add("")


def _number(value: str) -> int | None:
    found = _NUMBER.match(value)
    return None if found is None else int(found.group())


def _ignore(event: Event) -> None:
    """
    Nobody wants to know yet.
    """


@implementer(IDatagramTransport)
class BundleStream:
    """
    A section's share of a transport.
    """

    def __init__(self, bundle: Bundle, mid: str) -> None:
        self.bundle = bundle
        self.mid = mid
        self.midExtension = 0
        self.formats: frozenset[str] = frozenset()
        self.protocol: Any = None
        self.notify: Callable[[Event], None] = _ignore
        self.counters = bundle.transport.counters
        self.write = bundle.transport.write
        self.writeControl = bundle.transport.writeControl

    @property
    def localAddress(self) -> Address:
        """
        See L{IMediaTransport}.
        """
        return self.bundle.transport.localAddress

    @property
    def components(self) -> list[Any]:
        """
        See L{UDPTransport}.
        """
        return self.bundle.transport.components

    @property
    def muxed(self) -> bool:
        """
        See L{UDPTransport}.
        """
        return self.bundle.transport.muxed

    @property
    def lite(self) -> bool:
        """
        See L{UDPTransport}.
        """
        return self.bundle.transport.lite

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        self.protocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]
        self.bundle.attach(self)

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the transport cannot agree to the section.
        """
        applyTransport = self._speak(section, terms)

        def apply() -> None:
            self.formats = frozenset(section.formats)
            for value in section.all("extmap"):
                _, _, uri = value.partition(" ")
                if uri.strip() == _MID_EXTENSION:
                    self.midExtension = _number(value) or 0
            self.bundle.learn(self, section)
            if applyTransport is not None:
                applyTransport()

        return apply

    def _speak(self, section: Section, terms: Terms) -> Apply | None:
        """
        Let the section tell of the transport, if it is the one that does.

        @raise NegotiationError: the transport cannot agree to it.
        """
        if self.bundle.speaker not in (None, self):
            return None
        apply = self.bundle.transport.configure(section, terms)
        self.bundle.speaker = self
        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        @raise NegotiationError: the transport cannot satisfy the terms.
        """
        return self.bundle.transport.describe(terms)

    def path(self) -> Path | None:
        """
        See L{IDatagramTransport}.  What arrives has to be told apart first, so
        a datapath must not take it from here.
        """
        path = self.bundle.transport.path()
        if path is None or self.bundle.mediaCount == 1:
            return path
        return Path(path.local, path.remote, proven=False)

    def datagramReceived(self, data: bytes, source: Address) -> None:
        """
        See L{IDatagramTransport}.
        """
        self.bundle.transport.datagramReceived(data, source)

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """
        self.bundle.remove(self)
        self.protocol = None


@implementer(IKeyExporter)
class KeyedBundleStream(BundleStream):
    """
    A section's share of a transport that agrees on keys.
    """

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the transport cannot agree to the section, or
            was made for data channels with somebody who has no SRTP.
        """
        transport = self.bundle.transport
        assert isinstance(transport, DTLSKeyTransport)
        if transport.secured and transport.contexts(False) is None:
            raise NegotiationError("the bundle's association has no keys for SRTP")
        return super().configure(section, terms)

    def contexts(self, control: bool) -> tuple[Context, Context] | None:
        """
        See L{IKeyExporter}.
        """
        transport = self.bundle.transport
        assert isinstance(transport, DTLSKeyTransport)
        return transport.contexts(control)


class BundleRecords(BundleStream):
    """
    The share of the section that carries data channels: what is inside the
    DTLS association.  It is to L{e2aegw.transport.channel.ChannelCarrier} what
    a L{DTLSTransport} of its own would be.
    """

    def __init__(self, bundle: Bundle, mid: str) -> None:
        super().__init__(bundle, mid)
        assert isinstance(bundle.transport, DTLSTransport)
        self._dtls = bundle.transport
        self.write = self.writeControl = self._dtls.writeRecord

    @property
    def isClient(self) -> bool:
        """
        See L{DTLSTransport}.
        """
        return self._dtls.isClient

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        if isinstance(self._dtls, DTLSKeyTransport):
            self._dtls.inside = protocol
        super().attach(protocol)

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the transport cannot agree to the section.
        """
        # RFC 9143 clause 9.3: RTP in a bundle is multiplexed with RTCP, though
        # a section without RTP cannot say so.
        lines = [*(line for line in section.lines if line.name not in _CONTROL), Line("rtcp-mux")]
        whole = Section(
            section.media,
            section.port,
            section.proto,
            section.formats,
            address=section.address,
            lines=lines,
        )
        apply = self._speak(whole, terms)
        return _nothing if apply is None else apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        @raise NegotiationError: the transport cannot satisfy the terms.
        """
        terms = terms.but(rtcpMux=frozenset({"offer", "accept"}))
        return [line for line in super().describe(terms) if line.name not in _CONTROL]


def _nothing() -> None:
    """
    Another section has said it all.
    """
