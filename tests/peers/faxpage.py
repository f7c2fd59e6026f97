"""
A page, as a file that fax machines send, and what is on one.
"""

import random
import struct
import subprocess
from pathlib import Path

#: Picture elements of a line of a page of A4 (T.4 clause 2).
WIDTH = 1728
#: Lines.  A whole page has 1,100 and takes twice as long; of T.30's phases this
#: one leaves none out.
HEIGHT = 400
_HEADER = struct.Struct("<4sI")
_ENTRY = struct.Struct("<HHII")
_SHORT = 3
#: One octet's bits the other way round.
_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))


def makePage(directory: Path) -> Path:
    """
    A page with lines of what might be letters, and a piece that cannot be
    compressed.
    """
    chance = random.Random(7)
    rows = bytearray()
    for y in range(HEIGHT):
        row = bytearray(WIDTH // 8)
        for x in range(WIDTH // 8):
            if (y // 40) % 3 == 0 and 10 < x < 200 and (x * 7 + y // 4) % 11 < 5:
                row[x] = 0xFF
            elif 200 < y < 260 and 60 < x < 100 and y % 4 == 0:
                row[x] = chance.getrandbits(8)
        rows += row
    end = _HEADER.size + len(rows)
    # Tag, kind (3 is 16 bits, 4 is 32 bits, 5 is a quotient), count, value.
    entries = (
        (256, 4, 1, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, 1, 1),
        (259, 3, 1, 1),
        (262, 3, 1, 0),
        (273, 4, 1, _HEADER.size),
        (277, 3, 1, 1),
        (278, 4, 1, HEIGHT),
        (279, 4, 1, len(rows)),
        (282, 5, 1, end),
        (283, 5, 1, end + 8),
        (296, 3, 1, 2),
    )
    text = _HEADER.pack(b"II*\0", end + 16) + rows + struct.pack("<4I", 204, 1, 98, 1)
    text += struct.pack("<H", len(entries)) + b"".join(_ENTRY.pack(*each) for each in entries) + bytes(4)
    raw, page = directory / "raw.tif", directory / "page.tif"
    raw.write_bytes(text)
    subprocess.run(["tiffcp", "-c", "g4", raw, page], check=True)
    return page


def pixels(page: Path) -> tuple[int, int, bytes]:
    """
    What is on the first page of a file: width, height, and a bit for each
    picture element.
    """
    plain = page.with_suffix(".plain")
    subprocess.run(["tiffcp", "-c", "none", page, plain], check=True)
    data = plain.read_bytes()
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    tags = {}
    for number in range(count):
        place = at + 2 + 12 * number
        tag, kind, many = struct.unpack_from(order + "HHI", data, place)
        size = 2 if kind == _SHORT else 4
        start = place + 8
        if size * many > 4:
            (start,) = struct.unpack_from(order + "I", data, start)
        if kind in (_SHORT, 4):
            tags[tag] = struct.unpack_from(f"{order}{many}{'H' if size == 2 else 'I'}", data, start)
    rows = b"".join(data[a : a + n] for a, n in zip(tags[273], tags[279], strict=True))
    if tags[262][0] == 1:
        rows = bytes(octet ^ 0xFF for octet in rows)
    if tags.get(266, (1,))[0] == 2:
        rows = rows.translate(_REVERSED)
    return tags[256][0], tags[257][0], rows
