"""
The fuzz target for MSRP: what reads it, what writes it again, and URIs.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio.msrp import Request, Response
from e2aegw.sansio.msrppath import Paths
from e2aegw.sansio.msrpreader import Reader
from e2aegw.sansio.msrpsender import Sender
from e2aegw.sansio.msrpuri import URI, parsePath

_PATHS = b"To-Path: msrp://a.example.com:1/x;tcp\r\nFrom-Path: msrps://[2001:db8::1]:2/y;dc\r\n"

#: A message in two chunks, a report, a response, and something unknown.
SEEDS = (
    b"MSRP a786hjs2 SEND\r\n" + _PATHS + b"Message-ID: 87652491\r\nByte-Range: 1-*/25\r\n"
    b"Success-Report: yes\r\nContent-Type: text/plain\r\n\r\nHey Bob, are\r\n-------a786hjs2+\r\n"
    b"MSRP a786hjs3 SEND\r\n" + _PATHS + b"Message-ID: 87652491\r\nByte-Range: 13-25/25\r\n"
    b"Content-Type: text/plain\r\n\r\n you there?\r\n\r\n-------a786hjs3$\r\n",
    b"MSRP dkei38sd REPORT\r\n" + _PATHS + b"Message-ID: 87652491\r\nByte-Range: 1-25/25\r\n"
    b"Status: 000 200 OK\r\n-------dkei38sd$\r\nMSRP a786hjs2 200 OK\r\n" + _PATHS + b"-------a786hjs2$\r\n",
    b"MSRP a1b2 NICKNAME\r\n" + _PATHS + b"Failure-Report: partial\r\nX-Odd:\xff\r\n-------a1b2#\r\n",
    b"msrps://u@[2001:db8::3]:54111/si438dsaodes;dc;a=b msrp://192.0.2.1:9/x;tcp",
)


def msrp(data: bytes) -> None:
    """
    Read anything, in two ways, write what was read, and read that.
    """
    for text in (data, *data.split(b" ", 8)):
        with suppress(RemoteError):
            uri = URI.parse(text)
            assert uri.matches(URI.parse(uri.text))
    with suppress(RemoteError):
        parsePath(data)
    paths = Paths()
    for size in (len(data) or 1, 7):
        for endToEnd in (False, True):
            senders = [Sender(), Sender(messages=True, chunk=2048)]
            for sender in senders:
                sender.toPath, sender.fromPath, sender.limit = b"msrp://h:1/x;tcp", b"msrp://h:2/y;tcp", 4096
            _cross(data, size, endToEnd, senders, paths)


def _cross(data: bytes, size: int, endToEnd: bool, senders: list[Sender], paths: Paths) -> None:
    reader, readers = Reader(endToEnd=endToEnd), [Reader() for _ in senders]
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        with suppress(RemoteError):
            while (part := reader.nextPart()) is not None:
                if isinstance(part, Request):
                    paths.judge(part)
                for sender, next_ in zip(senders, readers, strict=True):
                    _send(part, sender, next_)


def _send(part: Request | Response, sender: Sender, reader: Reader) -> None:
    try:
        if isinstance(part, Request):
            out = sender.send(part.fragment, 0.0)
        else:
            sender.translate(part)
            out = sender.interject(bytes(part), 0.0)
            sender.receive(part)
    except RemoteError:
        return
    # What is written has to be MSRP.
    for each in out:
        reader.feed(each)
        while reader.nextPart() is not None:
            continue
