"""
Making good inputs bad.
"""

from random import Random

#: What lengths, counts and separators stumble over.
AWKWARD = (
    *(b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff", b"\x00\x00", b"\x7f\xff\xff\xff"),
    *(b"\r\n", b" ", b":", b"=", b";", b"%00", b"\xc3", b"\xe2\x80\xa8"),
    *(b"-1", b"0", b"99999999999999999999"),
)

#: How many changes one input gets at most.
MAX_CHANGES = 6

#: How long an input that is nothing but noise is at most.
MAX_NOISE = 200


def mutate(seeds: tuple[bytes, ...], random: Random) -> bytes:
    """
    An input that is close to one of the seeds, or nothing like them.
    """
    if not seeds or random.random() < 0.05:
        return random.randbytes(random.randrange(MAX_NOISE))
    data = bytearray(random.choice(seeds))
    for _ in range(random.randint(1, MAX_CHANGES)):
        start = random.randint(0, len(data))
        stop = min(len(data), start + random.choice((0, 1, 2, 4, 16, 64)))
        piece = bytes(data[start:stop])
        match random.randrange(6):
            case 0:
                data[start:stop] = random.randbytes(len(piece))
            case 1:
                del data[start:stop]
            case 2:
                data[start:start] = piece * random.choice((1, 2, 50))
            case 3:
                data[start:stop] = random.choice(AWKWARD)
            case 4:
                del data[start:]
            case 5:
                other = random.choice(seeds)
                data[start:] = other[random.randint(0, len(other)) :]
    return bytes(data)
