"""
The fuzz target for DTLS.
"""

import datetime
from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.dtls import MTU, Endpoint, Failed
from e2aegw.sansio.srtp import Profile

_HELLO = bytes.fromhex(
    "16feff000000000000000000ca010000be00000000000000befefd08ccd2193871375c0a9b81470a2f6b802a51221aeb"
    "6e469120f89f8d71ab9fa100000036c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0"
    "140039c009c0130033009d009c003d003c0035002f0100005eff01000100000b00020100000a000c000a001d0017001e"
    "0018001900230000000e000500020001000016000000170000000d002a0028040305030603080708080809080a080b08"
    "0408050806040105010601030303010302040205020602"
)
_VERIFY = bytes.fromhex("16fefd000000000000000000100300000400000000000000" + "04feff0100")
_ALERT = bytes.fromhex("15fefd000000000000000100020228")
_CHANGE = bytes.fromhex("14fefd0000000000000002000101")
_DATA = bytes.fromhex("17fefd000100000000000000180001000000000000") + bytes(16)

#: A ClientHello, whole and in two pieces, a HelloVerifyRequest, and records of
#: the other kinds.
SEEDS = (
    _HELLO,
    _HELLO + _CHANGE + _DATA,
    _HELLO[:11]
    + b"\x00\x4c"
    + _HELLO[13:22]
    + b"\x00\x00\x40"
    + _HELLO[25:89]
    + _HELLO[:10]
    + b"\x01\x00\x8a"
    + _HELLO[13:19]
    + b"\x00\x00\x40\x00\x00\x7e"
    + _HELLO[89:],
    _VERIFY + _ALERT,
    _CHANGE + _DATA,
)

_ENDPOINT = Endpoint(Identity.generate(datetime.datetime.now(datetime.UTC)), list(Profile))


def dtls(data: bytes) -> None:
    """
    Give it to a server and to a client who wait for the other side, whole and
    then once more in two datagrams.
    """
    for client in (False, True):
        association = _ENDPOINT.connect(client=client)
        if client:
            association.start(0.0)
        for datagram in (data, data[: len(data) // 2], data[len(data) // 2 :]):
            with suppress(RemoteError):
                association.receive(datagram, 0.0)
        while (sent := association.nextDatagram()) is not None:
            assert len(sent) <= MTU
        while (event := association.nextEvent()) is not None:
            assert isinstance(event, Failed)
        association.close()
