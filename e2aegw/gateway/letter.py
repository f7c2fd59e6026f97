"""
What a party is told: the description that it gets, made from the one that the
other party sent.
"""

from collections.abc import Callable, Sequence, Set

from e2aegw.errors import NegotiationError
from e2aegw.gateway.layout import bundleOf
from e2aegw.gateway.offer import SEALED
from e2aegw.gateway.pipeline import Leg
from e2aegw.gateway.stream import Party, Stream
from e2aegw.gateway.workshop import Workshop
from e2aegw.interfaces import ITranslator
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import outside
from e2aegw.sansio.e2ae import Protection
from e2aegw.sansio.sdp import Description, Line, Section
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.transport.datachannel import DataChannel


class Letter:
    """
    The description for one party, while it is written.
    """

    def __init__(
        self,
        description: Description,
        parties: tuple[Party, Party],
        who: int,
        terms: Terms,
        agreed: Set[str] | None,
        workshop: Workshop,
        refuse: Callable[[Stream, str], None],
    ) -> None:
        """
        @param description: what the other party sent.
        @param who: the party that sent it.
        @param agreed: what the UE agreed to at registration, as far as the
            controller said.
        @param refuse: called with a stream that cannot be agreed to, and why.
        """
        self._description = description
        self._far = parties[1 - who]
        self._who = who
        self._terms = terms
        self._agreed = agreed
        self._workshop = workshop
        self._refuse = refuse

    def write(self, streams: Sequence[Stream], version: int) -> str:
        """
        Write it.

        @param version: the first version, if the controller wants it to be
            ours.

        @raise UsageError: the parties' descriptions do not fit.
        """
        description, far, terms, who = self._description, self._far, self._terms, self._who
        sections: dict[int, Section] = {}
        lite = fromWebRTC = False
        bundle: list[str] = []
        for stream in streams:
            place = stream.places[1 - who]
            mid = self._mid(place)
            if stream.now.pipeline is not None:
                near, leg = stream.now.pipeline.legs[who], stream.now.pipeline.legs[1 - who]
                section = description.sections[stream.places[who]]
                try:
                    own = self._own(stream, near, leg, section)
                except NegotiationError as e:
                    self._refuse(stream, str(e))
                else:
                    browser = leg.protection is not Protection.DTLS and (
                        near.protection is Protection.DTLS or isinstance(near.transport, DataChannel)
                    )
                    proto = stream.now.farProto if terms.kind is Kind.OFFER else leg.proto
                    sections[place] = self._section(section, proto, leg, own, browser, mid)
                    lite = lite or leg.transport.lite
                    fromWebRTC = fromWebRTC or browser
                    if mid is not None and far.bundle is not None and leg.transport in far.bundle.streams:
                        bundle.append(mid)
                    continue
            sections[place] = self._rejection(stream, mid)
        bundle += far.bundledLines()
        if terms.kind is Kind.ANSWER and far.description is not None:
            # Not more sections than were offered (RFC 3264 clause 6); nor does
            # a bundle have others.
            count = len(far.description.sections)
            sections = {place: section for place, section in sections.items() if place < count}
            bundle = [each for each in bundleOf(far.description) if each in bundle]
        agreed = {each.places[1 - who] for each in streams if each.now.pipeline is not None}
        lines = far.now.lines if terms.kind is Kind.OFFER else far.now.described
        ordered = [far.atLine(line, sections, agreed, terms) for line in range(lines)]
        # ICE may have begun with the description of a carrier of channels.
        lite = lite or any(section.has("ice-ufrag") for section in ordered)
        address = next((each.address for each in ordered if each.address is not None), None)
        if address is None:
            address = terms.mediaAddress or self._workshop.address(far.side, terms.addressFamily)
        result = compose.description(
            description,
            address,
            ordered,
            terms,
            lite=lite,
            version=self._version(ordered, version),
            bundle=bundle,
            fromWebRTC=fromWebRTC,
        )
        far.sent = ordered
        return result.serialize()

    def _own(self, stream: Stream, near: Leg, leg: Leg, section: Section) -> list[Line]:
        """
        What the far leg says of itself.

        @raise NegotiationError: it cannot.
        """
        terms = self._terms
        mux, ice = terms.rtcpMux, terms.ice
        if terms.kind is Kind.OFFER:
            browser = leg.protection is Protection.DTLS and "webrtc" in (self._agreed or ())
            # RFC 5761 clause 5.1.1: multiplexing is passed on unless somebody
            # says otherwise; ICE ends where protection does.
            said = mux & {"demux", "offer", "require"}
            if browser or (not said and (section.has("rtcp-mux") or leg.transport.muxed)):
                mux = mux | {"offer"}
            if ice in (ICE.DEFAULT, ICE.OFFERED):
                crosses = ice is ICE.OFFERED or near.protection is leg.protection
                offered = crosses and section.has("ice-ufrag")
                ice = ICE.FORCE if offered or browser else ICE.REMOVE
        else:
            # It is for the offer to say whether its party may multiplex.
            mux = stream.now.mux
            if near.transport.muxed:
                mux = mux | {"accept"}
        if mux != terms.rtcpMux or ice is not terms.ice:
            terms = terms.but(rtcpMux=mux, ice=ice)
        lines = list(leg.adapter.describe(terms))
        # What the adapter lets pass, the other party has said already.
        passes = leg.adapter.passes
        lines += [line for line in leg.transport.describe(terms) if line.name not in passes]
        applied = (
            stream.now.applied
            if terms.kind is Kind.OFFER
            else stream.now.requested and self._workshop.appliedInAnswers
        )
        if applied and leg.adapter.medium != SEALED:
            lines.insert(0, Line("3ge2ae", "applied"))
        return lines

    def _section(
        self, section: Section, proto: str, leg: Leg, own: Sequence[Line], browser: bool, mid: str | None
    ) -> Section:
        terms = self._terms
        feedback = proto.upper().endswith("F")
        lines = [
            line
            for line in section.lines
            if compose.crosses(line, feedback=feedback, fromWebRTC=browser, passes=leg.adapter.passes)
        ]
        translator = ITranslator(leg.adapter, None)
        if translator is not None:
            lines = list(translator.translate(lines))
        host, port = leg.transport.localAddress
        if section.address in ("0.0.0.0", "::") and not section.has("ice-ufrag"):
            # Hold in the old way (RFC 3264 clause 8.4); said in the new one,
            # too, for those who do not know it any more.
            lines = compose.held(lines)
            if "zero-address" not in terms.replace:
                host = str(section.address)
        formats = None if translator is None else translator.formats
        return compose.section(section, proto, (terms.mediaAddress or host, port), lines, own, mid, formats)

    def _rejection(self, stream: Stream, mid: str | None) -> Section:
        """
        The section of a stream that is not agreed to, in the form of the
        offer that it answers.
        """
        section = stream.now.section
        return compose.rejected(section, outside(section.proto), mid)

    def _mid(self, place: int) -> str | None:
        """
        The name that the party gave to a section.
        """
        description = self._far.description
        if description is None or place >= len(description.sections):
            return None
        return description.sections[place].get("mid")

    def _version(self, sections: list[Section], first: int) -> int | None:
        """
        The version to write, if the controller wants it to be ours: one more
        whenever something changed (RFC 3264 clause 8).
        """
        far, terms = self._far, self._terms
        if not terms.replace & {"sdp-version", "force-increment-sdp-ver"}:
            return None
        if far.version is None:
            far.version = first
        elif "force-increment-sdp-ver" in terms.replace or sections != far.sent:
            far.version += 1
        return far.version
