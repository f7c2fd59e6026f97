"""
The fuzz target for TLS.
"""

import datetime
from contextlib import suppress

from OpenSSL import SSL

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.tls import Connection, Endpoint

_IDENTITY = Identity.generate(datetime.datetime.now(datetime.UTC))
_ENDPOINT = Endpoint(_IDENTITY)
#: What a party may answer with, at most, to what it could read.
_MAX_ANSWER = 1 << 16


def _hello(version: int) -> bytes:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(version)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    with suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(1 << 16)


def _answer(hello: bytes) -> bytes:
    server = _ENDPOINT.connect(client=False, judge=lambda der: None)
    server.receive(hello)
    return server.output()


_HELLOS = tuple(map(_hello, (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)))
_ALERT = bytes.fromhex("15030300020100")
_DATA = bytes.fromhex("1703030020") + bytes(32)
_CHANGE = bytes.fromhex("140303000101")

#: What a client begins with, what a server answers, and records of the other
#: kinds.
SEEDS = (
    *_HELLOS,
    *map(_answer, _HELLOS),
    _HELLOS[0] + _CHANGE + _DATA + _ALERT,
    _CHANGE + _ALERT,
    _DATA + _DATA,
)


def _pair() -> tuple[Connection, Connection]:
    """
    Two ends that have done their handshake.
    """
    client = _ENDPOINT.connect(client=True, judge=lambda der: True)
    server = _ENDPOINT.connect(client=False, judge=lambda der: True)
    client.start()
    for _ in range(4):
        server.receive(client.output())
        client.receive(server.output())
    assert client.established and server.established
    return client, server


def _feed(connection: Connection, data: bytes) -> None:
    """
    Whole, and once more in two pieces; until it has enough.
    """
    with suppress(RemoteError):
        for piece in (data, data[: len(data) // 2], data[len(data) // 2 :]):
            assert len(connection.receive(piece)) <= len(data)
    assert len(connection.output()) <= _MAX_ANSWER


def tls(data: bytes) -> None:
    """
    Give it to a server and to a client who wait for the other side, and to two
    who have nothing to do with it.
    """
    for client in (False, True):
        connection = _ENDPOINT.connect(client=client, judge=lambda der: None)
        if client:
            connection.start()
        _feed(connection, data)
        assert not connection.established
        connection.close()
    for connection in _pair():
        _feed(connection, data)
        connection.close()
        assert len(connection.output()) <= _MAX_ANSWER
