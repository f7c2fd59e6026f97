"""
The fuzz target for T.140: packets with and without redundancy, what puts them
in order, what comes out of a channel, and what is written of both.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio.t140 import Decoder
from e2aegw.sansio.t140packet import parsePacket
from e2aegw.sansio.t140receiver import MAX_MARKS, Receiver
from e2aegw.sansio.t140reports import Reports
from e2aegw.sansio.t140sender import Sender

_PLAIN, _RED = frozenset({98}), frozenset({100})
#: Marks that one packet may make: of a gap, and of a source that is forgotten.
_MARKS = 4 * (MAX_MARKS + 1)

#: Packets as they follow each other, each behind its length: with redundancy,
#: without, with a header extension, an RTCP report; and text.
SEEDS = (
    b"\x17\x80\xe4\x00\x01\x00\x00\x03\xe8\x00\x00\x00\x07\xe2\x04\xb0\x01\xe2\x00\x00\x00\x62RP"
    b"\x11\x80\x64\x00\x04\x00\x00\x08\xe8\x00\x00\x00\x07\xe2\x04\xb0\x00",
    b"\x0d\x80\xe2\xff\xff\x00\x00\x03\xe8\x00\x00\x00\x07a\x0f\x80\x62\x00\x01\x00\x00\x05\x00\x00\x00\x00\x07"
    b"\xe2\x98\x83",
    b"\x1a\xb1\x62\x00\x02\x00\x00\x03\xe8\x00\x00\x00\x07\x00\x00\x00\x05\xbe\xde\x00\x01\x10\0\0\0xy\0\2",
    b"\x1c\x80\xc8\x00\x06\x00\x00\x00\x07\xe0\0\0\0\x80\0\0\0\0\0\3\xe8\0\0\0\1\0\0\0\1",
    "\N{ZERO WIDTH NO-BREAK SPACE}h\N{SNOWMAN}\N{LINE SEPARATOR}e\N{COMBINING ACUTE ACCENT}".encode(),
)


def t140(data: bytes) -> None:
    """
    Take anything as a row of packets, and say what comes of it on.
    """
    receiver, sender, decoder = Receiver(2), Sender(), Decoder()
    sender.agree(98, 100, 2)
    reports = Reports(sender, receiver)
    now, at = 0.0, 0
    while at < len(data):
        size = data[at] % 64
        packet = data[at + 1 : at + 1 + size]
        at += 1 + size
        now += (size % 8) / 4
        text = decoder.decode(packet)
        with suppress(RemoteError):
            reports.receive(packet, now)
        runs = receiver.timeout(now)
        with suppress(RemoteError):
            found = parsePacket(packet, _PLAIN, _RED)
            if found is not None:
                runs += receiver.receive(found, now)
        for run in runs:
            assert len(run.text) <= len(data) + _MARKS
            text += run.text
        sender.push(text, now, paced=bool(runs))
        _drain(sender, now)
    receiver.timeout(now + 2)
    for _ in range(8):
        due = sender.nextTimeout(now)
        if due is None:
            break
        assert due >= now
        now = due
        sender.timeout(now)
        _drain(sender, now)


def _drain(sender: Sender, now: float) -> None:
    while (datagram := sender.nextDatagram()) is not None:
        # What is written has to be read.
        packet = parsePacket(datagram, _PLAIN, _RED)
        assert packet is not None
        packet.blocks[-1].data.decode()
