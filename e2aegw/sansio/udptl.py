"""
UDPTL (ITU-T T.38 clause 9.1), as far as a gateway that changes nothing in it
must know it: whether a datagram is one, and what the description says of them.

A datagram carries one packet of the facsimile protocol, and beside it earlier
ones again, or parity over earlier ones (T.38 annex A, aligned PER)::

     0       1       2          2+n                  3+n+m
    +-------+-------+----------+--------------------+-------------- ...
    | sequence      | length   | primary packet     | choice
    | number        | (1 or 2) | (length octets)    | 0x00 or 0x80
    +-------+-------+----------+--------------------+-------------- ...

    0x00: count, and so many times length and octets: earlier packets
    0x80: length and value: packets under each parity;
          count, and so many times length and octets: parity

A sequence number says nothing that a relay could act on: terminals say things
several times under one number, and datagrams that come late still hold what
others lost.  So numbers are the terminals' business, as is what is to be
recovered.
"""

import re
from collections.abc import Sequence

from e2aegw.sansio.sdp import Line

#: The shortest: a primary packet of one octet, as none is shorter (T.38 clause
#: 7.1), and no others.
SHORTEST = 6
#: Most earlier packets, or parities, in a datagram.  Terminals have up to
#: eight; each entry costs time to walk over, and an empty one only an octet.
MAX_ENTRIES = 64
#: The attribute that says how long a datagram its party takes (T.38 clause
#: D.2.3).
_LONGEST = "t38faxmaxdatagram"
#: Python refuses to read thousands of digits.
_NUMBER = re.compile(r"[0-9]{1,9}\Z")


def isWhole(data: bytes | bytearray, size: int) -> bool:
    """
    Whether the first C{size} octets are a UDPTL datagram: all that it says to
    contain is there.  What comes behind that is padding.

    It runs for each packet and so it slices nothing, and it is one function.
    """
    if size < SHORTEST:
        return False
    length = data[2]
    if length < 128:
        at = 3 + length
    elif length < 192:
        at = 4 + ((length & 63) << 8) + data[3]
    else:
        # In pieces of 16 KB (X.691 clause 11.9.3.8), which no datagram holds.
        return False
    if length == 0 or at + 2 > size:
        return False
    if data[at] & 128:
        width = data[at + 1]
        at += 2 + width
        if not 0 < width <= 4 or at >= size:
            return False
        count = data[at]
        at += 1
    else:
        count = data[at + 1]
        at += 2
    if count > MAX_ENTRIES:
        return False
    while count:
        if at >= size:
            return False
        length = data[at]
        if length < 128:
            at += 1 + length
        elif length < 192 and at + 1 < size:
            at += 2 + ((length & 63) << 8) + data[at + 1]
        else:
            return False
        count -= 1
    return at <= size


def longest(lines: Sequence[Line]) -> int:
    """
    How many octets of a datagram the party takes that wrote these attributes,
    or 0: it does not say.  T.38 clause D.2.3 leaves the case of names open,
    and what is no number says nothing.
    """
    for line in lines:
        if line.name.lower() == _LONGEST:
            value = (line.value or "").strip()
            return int(value) if _NUMBER.match(value) else 0
    return 0
