"""
Fax terminals on a network of any kind: a plain one, and a UE with DTLS whose
OpenSSL is set up here and not by the gateway's modules.
"""

import datetime
import re
from collections.abc import Callable

from cryptography.hazmat.primitives.serialization import Encoding

from e2aegw.interfaces import Address, IDatagramNetwork
from e2aegw.sansio.certificate import Fingerprint, Identity
from tests.sansio.dtlspeer import Peer

_NOW = datetime.datetime.now(datetime.UTC)
#: RSA keys are slow to make.
RSA, OUR_RSA = Identity.generateRSA(_NOW), Identity.generateRSA(_NOW)
ECDSA = Identity.generate(_NOW)
#: T.38 annex D's attributes, with a value that no terminal has.
ATTRIBUTES = (
    "T38FaxVersion:0",
    "T38MaxBitRate:14400",
    "T38FaxRateManagement:transferredTCF",
    "T38FaxMaxBuffer:1723",
    "T38FaxMaxDatagram:400",
    "T38FaxUdpEC:t38UDPRedundancy",
)


def datagram(number: int, octets: bytes = b"\xc0\x01\x80\x00\x00\xff", earlier: int = 3) -> bytes:
    """
    A UDPTL datagram with redundancy.
    """
    entry = bytes([len(octets)]) + octets
    return number.to_bytes(2, "big") + entry + bytes([0, earlier]) + entry * earlier


class FaxPhone:
    """
    A plain terminal.

    @ivar received: UDPTL datagrams, in the clear.
    @ivar wire: whatever arrived.
    """

    proto = "udptl"

    def __init__(self, network: IDatagramNetwork, host: str, *, port: int = 6000) -> None:
        self.host = host
        self.wire: list[bytes] = []
        self.received: list[bytes] = []
        self.attributes: tuple[str, ...] = ATTRIBUTES
        self.version = 1
        self.remote: Address | None = None
        self.port = network.bind((host, port), self._receive)

    def close(self) -> None:
        """
        Let go of the port.
        """
        self.port.close()

    def describe(self, *before: str, lines: tuple[str, ...] = (), port: int | None = None) -> str:
        """
        A description.

        @param before: other media sections.
        """
        self.version += 1
        number = self.port.address[1] if port is None else port
        own = [f"a={line}" for line in (*lines, *self.attributes)] if number else []
        family = "IP6" if ":" in self.host else "IP4"
        return "\r\n".join(
            [
                "v=0",
                f"o=- 5 {self.version} IN {family} {self.host}",
                "s=-",
                f"c=IN {family} {self.host}",
                "t=0 0",
                *before,
                f"m=image {number} {self.proto} t38",
                *own,
                "",
            ]
        )

    def accept(self, sdp: str) -> None:
        """
        Take the gateway's description.
        """
        host = re.findall(r"c=IN IP\d (\S+)", sdp)[-1]
        self.remote = (host, int(re.findall(r"m=image (\d+)", sdp)[0]))

    def send(self, data: bytes) -> bytes:
        """
        Send a datagram of UDPTL.
        """
        self.sendRaw(data)
        return data

    def sendRaw(self, data: bytes) -> None:
        """
        Send it as it is.
        """
        assert self.remote is not None
        self.port.sendto(data, self.remote)

    def _receive(self, data: bytes, source: Address) -> None:
        self.wire.append(data)
        self.received.append(data)


class FaxUE(FaxPhone):
    """
    A terminal with DTLS (RFC 7345).

    @ivar setup: what its descriptions say.
    @ivar requested: whether it wants protection up to the edge.
    """

    proto = "UDP/TLS/UDPTL"

    def __init__(
        self,
        network: IDatagramNetwork,
        host: str,
        *,
        identity: Identity = RSA,
        ciphers: bytes | None = None,
        version: int | None = None,
        present: bool = True,
        port: int = 6000,
    ) -> None:
        self.identity = identity
        self.setup = "actpass"
        self.requested = True
        self.tlsID: str | None = "abcdefghijklmnopqrstuvwxyz"
        self.fingerprint = str(Fingerprint.of(identity.certificate.public_bytes(Encoding.DER)))
        self.connection: Peer | None = None
        self.connections: list[Peer] = []
        self._make: Callable[[bool], Peer] = lambda client: Peer(
            client=client,
            identity=self.identity if present else None,
            profiles=b"",
            version=version,
            ciphers=ciphers,
        )
        super().__init__(network, host, port=port)

    def describe(self, *before: str, lines: tuple[str, ...] = (), port: int | None = None) -> str:
        """
        See L{FaxPhone}.
        """
        own = (
            *(("3ge2ae:requested",) if self.requested else ()),
            f"fingerprint:{self.fingerprint}",
            f"setup:{self.setup}",
            *((f"tls-id:{self.tlsID}",) if self.tlsID else ()),
        )
        return super().describe(*before, lines=(*own, *lines), port=port)

    def accept(self, sdp: str) -> None:
        """
        See L{FaxPhone}.
        """
        super().accept(sdp)
        self.theirSetup = re.findall(r"a=setup:(\S+)", sdp)[0]
        self.theirFingerprints = re.findall(r"a=fingerprint:(\S+ \S+)", sdp)

    def hello(self, *, client: bool) -> None:
        """
        Begin or await a new association.
        """
        self.connection = self._make(client)
        self.connections.append(self.connection)
        self._push(self.connection.receive())

    def send(self, data: bytes) -> bytes:
        """
        See L{FaxPhone}.
        """
        assert self.connection is not None
        return self.sendIn(self.connection, data)

    def sendIn(self, connection: Peer, data: bytes) -> bytes:
        """
        Send in one of the associations.
        """
        connection.connection.send(data)
        self._push(connection.written())
        return data

    @property
    def shown(self) -> str:
        """
        The fingerprint of what the gateway showed.
        """
        assert self.connection is not None
        certificate = self.connection.connection.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return str(Fingerprint.of(certificate.public_bytes(Encoding.DER)))

    def _push(self, records: list[bytes]) -> None:
        for record in records:
            self.sendRaw(record)

    def _receive(self, data: bytes, source: Address) -> None:
        self.wire.append(data)
        if data[0] < 4:
            # STUN is for whoever looks at the wire.
            return
        if self.remote is None:
            self.remote = source
        if self.connection is None:
            self.hello(client=False)
        # What fails one association's keys is the other one's.
        for connection in reversed(self.connections):
            self._push(connection.receive([data]))
            self.received += connection.data
            connection.data.clear()
