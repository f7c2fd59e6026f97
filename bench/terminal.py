"""
A terminal that speaks DTLS-SRTP (RFC 5764) over ICE (RFC 8445), as far as a
gateway with ICE-lite needs it.
"""

import datetime
import select
import socket
import time

from aioice import stun

from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.dtls import Endpoint, Established, Failed
from e2aegw.sansio.srtp import Keys, Profile
from tests.peers.ng import TIMEOUT

#: Our credentials for ICE; every terminal may have the same.
UFRAG, PASSWORD = "term", "terminalterminalterminal"
#: RFC 8445 clause 5.1.2.1: a host candidate of the first component.
PRIORITY = 2130706431
_MAX_DATAGRAM = 2048

#: All terminals have the same certificate.
ENDPOINT = Endpoint(Identity.generate(datetime.datetime.now(datetime.UTC)), [Profile.AES_CM_128_HMAC_SHA1_80])
#: What all terminals' descriptions say.
FINGERPRINT = str(ENDPOINT.fingerprints[0])


def agree(
    sock: socket.socket, gateway: tuple[str, int], ufrag: str, password: str, *, client: bool
) -> tuple[Keys, Keys]:
    """
    Check a path to the gateway, nominate it, and agree on keys over it.

    @param sock: the terminal's socket.
    @param gateway: where its description says that it is.
    @param ufrag, password: what it says of ICE.
    @param client: whether to begin the handshake.

    @return: the keys of what we receive, and of what we send.

    @raise TimeoutError: there was no agreement in time.
    @raise RuntimeError: the handshake failed.
    """
    now = time.monotonic()
    deadline = now + TIMEOUT
    sock.sendto(_check(ufrag, password), gateway)
    association = ENDPOINT.connect(client=client)
    if client:
        association.start(now)
    while True:
        while (datagram := association.nextDatagram()) is not None:
            sock.sendto(datagram, gateway)
        event = association.nextEvent()
        if isinstance(event, Established):
            return association.keys()
        if isinstance(event, Failed):
            raise RuntimeError(f"no handshake: {event.reason}")
        now = time.monotonic()
        if now > deadline:
            raise TimeoutError("no handshake in time")
        data = _receive(sock, min(association.nextTimeout() or deadline, deadline) - now)
        if data is None:
            association.timeout(time.monotonic())
        elif 20 <= data[0] <= 63:
            association.receive(data, now)
        elif data[0] < 4:
            _answer(sock, data, gateway)


def _receive(sock: socket.socket, seconds: float) -> bytes | None:
    ready, _, _ = select.select([sock], [], [], max(0.0, seconds))
    return sock.recv(_MAX_DATAGRAM) if ready else None


def _check(ufrag: str, password: str) -> bytes:
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{ufrag}:{UFRAG}"
    request.attributes["PRIORITY"] = PRIORITY
    request.attributes["ICE-CONTROLLING"] = 1
    request.attributes["USE-CANDIDATE"] = None
    return _seal(request, password)


def _answer(sock: socket.socket, data: bytes, source: tuple[str, int]) -> None:
    """
    A gateway that is no ICE-lite agent sends checks, too.
    """
    message = stun.parse_message(data)
    if message.message_class is stun.Class.REQUEST:
        response = stun.Message(
            message_method=message.message_method,
            message_class=stun.Class.RESPONSE,
            transaction_id=message.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = source
        sock.sendto(_seal(response, PASSWORD), source)


def _seal(message: stun.Message, password: str) -> bytes:
    message.add_message_integrity(password.encode())
    message.add_fingerprint()
    return bytes(message)
