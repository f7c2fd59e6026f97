"""
What a leg and a session have to report.
"""

from e2aegw.gateway.pipeline import Leg
from e2aegw.sansio import eventrecord
from e2aegw.sansio.e2ae import Protection
from e2aegw.sansio.events import Event
from e2aegw.sansio.report import MediaReport, StreamReport
from e2aegw.sansio.sdp import Section

#: How many events a session remembers: a call has about ten, and one whose
#: terminal misbehaves may have any number.
MAX_EVENTS = 32
#: Events of one kind, of one party, that are told in so many seconds.  A call of
#: 64 lines has fewer; who opens channels or connections in a loop has more, and
#: nobody else's events shall get lost for that.
MAX_TOLD = 128
WINDOW = 60.0


class History:
    """
    The last things that happened in a session, for those who ask later.
    """

    __slots__ = ("_began", "_events", "_told")

    def __init__(self) -> None:
        self._events: list[tuple[float, Event]] = []
        self._began = 0.0
        self._told: dict[tuple[type[Event], str], int] = {}

    def note(self, seconds: float, event: Event) -> bool:
        """
        Something happened.

        @return: whether to tell others: not if it happens all the time.
        """
        if not 0 <= seconds - self._began < WINDOW:
            self._began = seconds
            self._told.clear()
        kind = type(event), event.side
        self._told[kind] = self._told.get(kind, 0) + 1
        if self._told[kind] > MAX_TOLD:
            return False
        if eventrecord.worthTelling(event):
            self._events.append((seconds, event))
            if len(self._events) > MAX_EVENTS:
                del self._events[0]
        return True

    def told(self) -> list[tuple[float, Event]]:
        """
        What happened, and when.
        """
        return list(self._events)


def reportMedia(index: int, offered: Section, leg: Leg) -> MediaReport:
    """
    A media section as it stands.

    @param index: from 1.
    @param offered: the section of the last offer.
    """
    adapter, transport = leg.adapter, leg.transport
    flags = ["initialized", "send", "recv"]
    if transport.muxed:
        flags.append("rtcp-mux")
    if transport.lite:
        flags.append("ICE")
    if leg.protection is Protection.DTLS:
        flags.append("DTLS-SRTP")
    elif leg.protection is Protection.SDES:
        flags.append("SDES")
    media = MediaReport(index=index, media=offered.media, proto=leg.proto, flags=flags)
    counters = leg.counters()
    errors = sum(count for name, count in counters.items() if name.startswith("dropped"))
    for component in transport.components:
        if component.port is None:
            continue
        control = component.number == 2
        streamFlags = ["RTCP"] if control else ["RTP"]
        if transport.muxed:
            streamFlags.append("RTCP")
        if component.source is not None:
            streamFlags.append("confirmed")
        media.streams.append(
            StreamReport(
                local=component.port.address,
                endpoint=component.remote,
                advertised=component.signalled,
                control=control,
                suite=getattr(adapter, "suite", ""),
                lastPacket=0.0 if control else leg.lastPacket,
                flags=streamFlags,
                ssrcs=[] if control else list(getattr(adapter, "sources", ())),
                packets=adapter.counters.get("control received", 0) if control else adapter.packetsReceived,
                octets=getattr(adapter, "controlOctetsReceived", 0) if control else adapter.octetsReceived,
                errors=0 if control else errors,
                counters={} if control else counters,
            )
        )
    return media
