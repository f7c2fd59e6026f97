"""
What is made of an offer: of each of its sections, the legs that it needs.
"""

from collections.abc import Callable, Sequence, Set
from typing import Any

from e2aegw.errors import NegotiationError
from e2aegw.gateway.layout import bundleOf, inOrder
from e2aegw.gateway.pipeline import ENDED, Leg, Pipeline
from e2aegw.gateway.stream import Party, Proposal, Stream
from e2aegw.gateway.workshop import Workshop
from e2aegw.sansio.e2ae import Decision, Protection, decide, protection, protectionOf, requested
from e2aegw.sansio.events import Event, LineRefused
from e2aegw.sansio.sdp import Description, Section, Side, family
from e2aegw.sansio.terms import Terms
from e2aegw.transport.bundle import Bundle, BundleStream, common, sharable
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.datachannel import DataChannel

#: The medium of what is protected from end to end.
SEALED = "sealed"
#: The kind of transport that is a share of a carrier of data channels.
_CHANNEL = "channel"
#: The kind of transport of a bundle that carries data channels: whoever bundles
#: them has DTLS-SRTP, and may add a section for it.
_BUNDLED = "dtls-srtp"
#: What an offer's terms mean for its answer: who hides multiplexing from the
#: far party does it for the near one.
_MUX = {"accept": "accept", "demux": "accept", "reject": "reject"}


class Offer:
    """
    One offer, while it is looked at.

    @ivar description: the offer, its channels as sections of their own.
    @ivar order: the indexes of sections, in the order to look at them.
    """

    def __init__(
        self,
        description: Description,
        parties: tuple[Party, Party],
        who: int,
        terms: Terms,
        agreed: Set[str] | None,
        workshop: Workshop,
        observe: Callable[[Event], None],
    ) -> None:
        """
        @param who: the party whose offer it is.
        @param agreed: what the UE agreed to at registration, as far as the
            controller said.
        @param observe: told of what happens.
        """
        self.description = description
        self._near, self._far = parties[who], parties[1 - who]
        self._who = who
        self._terms = terms
        self._agreed = agreed
        self._workshop = workshop
        self._observe = observe
        self._bundled = bundleOf(description)
        # RFC 9143 clause 7.1: the first of a bundle speaks for all, so it
        # comes before them.
        self.order = inOrder(description.sections, self._near.now, self._bundled)

    def adopt(self, streams: Sequence[Stream]) -> None:
        """
        What has a transport of its own may have company from now on: a browser
        that was called bundles when it offers.
        """
        near = self._near
        for index in self.order:
            mid = self.description.sections[index].get("mid")
            stream = next((each for each in streams if each.places[self._who] == index), None)
            if stream is None or stream.pipeline is None or mid is None or mid not in self._bundled:
                continue
            transport = stream.pipeline.legs[self._who].transport
            if not isinstance(transport, BundleStream):
                continue
            if near.bundle is None or not near.bundle.streams:
                near.bundle = transport.bundle
            if transport.bundle is near.bundle:
                transport.mid = mid

    def propose(self, stream: Stream) -> Proposal:
        """
        See whether a section can be agreed to, building what it needs.

        @raise ResourceError: there are no ports.
        """
        who, near, terms = self._who, self._near, self._terms
        section = self.description.sections[stream.places[who]]
        if section.rejected:
            return Proposal(section)
        pipeline = None
        try:
            decision = self._decide(stream, section)
            pipeline = stream.pipeline
            if pipeline is None or not self._serves(pipeline, stream, section, decision):
                if pipeline is not None:
                    there = pipeline.legs[1 - who]
                    decision = there.protect(decision)
                    terms = terms.but(addressFamily=terms.addressFamily or there.version)
                pipeline = self._build(stream, section, decision, terms)
            applies = pipeline.configure(who, section, terms)
        except NegotiationError as e:
            if pipeline is not None and pipeline is not stream.pipeline:
                pipeline.close()
            line = near.line(stream.places[who])
            self._observe(LineRefused(side=near.side.value, line=line, reason=str(e)))
            return Proposal(section)
        wanted = near.side is Side.ACCESS and requested(section)
        told = decision.applied and pipeline.legs[1 - who].protection in (Protection.SDES, Protection.TLS)
        for party, leg, said in ((who, pipeline.legs[who], wanted), (1 - who, pipeline.legs[1 - who], told)):
            # A browser cannot do without (RFC 8827 clause 6.5).
            lasting = leg.protection in (Protection.DTLS, Protection.TLS)
            if said or (leg.side is Side.ACCESS and lasting):
                stream.protected.add(party)
        return Proposal(
            section,
            pipeline,
            applies=applies,
            farProto=decision.proto,
            requested=wanted,
            applied=told,
            mux={_MUX[word] for word in terms.rtcpMux & _MUX.keys()},
        )

    def _decide(self, stream: Stream, section: Section) -> Decision:
        """
        What to do with a section.

        @raise NegotiationError: nothing can be done with it.
        """
        who, near, terms = self._who, self._near, self._terms
        # A line that is added later is one of the same UE, whoever adds it.
        known = terms if terms.e2ae == self._agreed else terms.but(e2ae=self._agreed)
        decision = decide(section, near.side, self._far.side, known)
        pipeline = stream.pipeline
        if pipeline is None or stream.agreed is None or section.media != stream.agreed.section.media:
            return decision
        leg, there = pipeline.legs[who], pipeline.legs[1 - who]
        sealed = pipeline.medium == SEALED
        asItWas = Decision(sealed, there.proto, 1 - who in stream.protected)
        if isinstance(leg.transport, DataChannel) or isinstance(there.transport, DataChannel):
            return asItWas
        opened = sealed and near.side is Side.ACCESS and requested(section)
        wish = terms.transportProtocol or terms.e2ae
        if not wish and not opened and protection(section) is leg.protection:
            # Without a wish for the far party, both keep what they have.
            return asItWas
        if protectionOf(decision.proto) is Protection.NONE and 1 - who in stream.protected:
            # Nobody takes protection away from a UE that asked for it.
            return asItWas
        if decision.endToEnd and not sealed and protection(section) is leg.protection is Protection.TLS:
            # Who was told of it, and not asked, does not ask later.
            return asItWas
        return decision

    def _serves(self, pipeline: Pipeline, stream: Stream, section: Section, decision: Decision) -> bool:
        """
        Whether a pipeline can go on under the offer.

        @raise NegotiationError: neither it nor another one can.
        """
        near, far = pipeline.legs[self._who], pipeline.legs[1 - self._who]
        assert stream.agreed is not None
        if section.media != stream.agreed.section.media or decision.endToEnd != (pipeline.medium == SEALED):
            return False
        if near.protection is None or isinstance(near.transport, DataChannel):
            self._checkStays(stream, near)
            return (section.proto, decision.proto) == (near.proto, far.proto)
        same = decision.proto == far.proto or protectionOf(decision.proto) is far.protection
        if protection(section) is not near.protection or not same:
            return False
        # Ports are of one version of IP.  With ICE the address says little.
        version = None if section.has("ice-ufrag") else _version(section)
        if version not in (None, near.version) and self._workshop.has(near.side, version or 0):
            return False
        if self._terms.addressFamily not in (None, far.version):
            return False
        # Who leaves a bundle needs ports of its own.
        return not (
            isinstance(near.transport, BundleStream)
            and len(near.transport.bundle.streams) > 1
            and section.get("mid") not in self._bundled
        )

    def _checkStays(self, stream: Stream, leg: Leg) -> None:
        """
        Data channels stay in the bundle that they are in: their association
        is that of its DTLS.

        @raise NegotiationError: they leave it.
        """
        transport = leg.transport
        if not isinstance(transport, DataChannel) or not isinstance(transport.carrier.dtls, BundleStream):
            return
        place = stream.places[self._who]
        mid = self._near.now.mid(place, self.description.sections[place])
        if len(transport.carrier.dtls.bundle.streams) > 1 and mid not in self._bundled:
            raise NegotiationError("data channels cannot leave their bundle")

    def _build(self, stream: Stream, section: Section, decision: Decision, terms: Terms) -> Pipeline:
        """
        Both legs of a stream.

        @raise NegotiationError: there cannot be one of them.
        @raise ResourceError: there are no ports.
        """
        who, near, far = self._who, self._near, self._far
        nearFactory, nearKind, farFactory, farKind, through = self._workshop.choose(
            section, near.side, far.side, decision
        )
        nearAdapter = nearFactory.buildAdapter(section.proto)
        farAdapter = farFactory.buildAdapter(decision.proto)
        version = _version(section)
        nearTransport: Any = None
        farTransport: Any = None
        try:
            nearTransport = self._nearTransport(stream, section, nearKind, version)
            # Nobody has to translate between versions of IP who need not.
            asked = terms.addressFamily

            def make() -> Any:
                return self._workshop.transport(
                    farKind, far.side, asked or version, terms, strict=asked is not None
                )

            if farKind == _CHANNEL:
                farTransport = far.fold(decision.proto, make, self._observe)
            else:
                farTransport = sharable(make())
            # The other party's line is not known yet.
            nearLine, farLine = near.line(stream.places[who]), -1
            if stream.agreed is not None:
                farLine = far.line(stream.places[1 - who])
            farProtection = protectionOf(decision.proto)
            legs = [
                Leg(nearAdapter, nearTransport, section.proto, protection(section), nearLine, near.side),
                Leg(farAdapter, farTransport, decision.proto, farProtection, farLine, far.side),
            ]
            if who:
                legs.reverse()
            filters = [each.buildFilter() for each in through]
            return Pipeline((legs[0], legs[1]), self._observe, self._workshop.datapath, filters)
        except BaseException:
            for adapter in (nearAdapter, farAdapter):
                adapter.connectionLost(ENDED)
            for transport in (nearTransport, farTransport):
                if transport is not None:
                    transport.loseConnection()
            raise

    def _nearTransport(self, stream: Stream, section: Section, kind: str, version: int | None) -> Any:
        """
        What reaches the offerer.

        @raise NegotiationError: there cannot be one.
        @raise ResourceError: there are no ports.
        """
        near, place = self._near, stream.places[self._who]
        if place in near.now.maps:
            return near.channel(place, lambda: self._carrier(place, kind, version), self._observe)
        mid = section.get("mid")
        if mid is not None and mid in self._bundled:
            return self._share(mid, section, kind, version)
        return sharable(self._workshop.transport(kind, near.side, version, self._terms))

    def _carrier(self, place: int, kind: str, version: int | None) -> ChannelCarrier:
        """
        What carries the channels of a line: in DTLS of its own, or in that of
        its bundle.

        @raise NegotiationError: it cannot be in that bundle.
        @raise ResourceError: there are no ports.
        """
        near, terms = self._near, self._terms
        mid = near.now.mid(place, self.description.sections[place])
        if mid is None or mid not in self._bundled:
            carrier: ChannelCarrier = self._workshop.transport(kind, near.side, version, terms)
            return carrier
        bundle = near.bundle
        if bundle is None or not bundle.streams:
            transport = self._workshop.transport(_BUNDLED, near.side, version, terms)
            bundle = near.bundle = Bundle(transport, common(_BUNDLED, Protection.DTLS))
        return self._workshop.carrier(near.shareBundle(bundle, mid))

    def _share(self, mid: str, section: Section, kind: str, version: int | None) -> BundleStream:
        """
        A share of the party's bundle.

        @raise NegotiationError: this section cannot be in it.
        @raise ResourceError: there are no ports.
        """
        bundle, shared = self._near.bundle, common(kind, protection(section))
        if bundle is None or not bundle.streams:
            transport = self._workshop.transport(kind, self._near.side, version, self._terms)
            bundle = self._near.bundle = Bundle(transport, shared)
        elif bundle.kind != shared:
            raise NegotiationError("the sections of the bundle are not protected alike")
        return bundle.add(mid)


def _version(section: Section) -> int | None:
    """
    The version of IP that a section speaks of, if it does.
    """
    if section.address in (None, "0.0.0.0", "::"):
        return None
    return 6 if family(str(section.address)) == "IP6" else 4
