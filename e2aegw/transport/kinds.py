"""
The kinds of transport that an adapter factory may name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2aegw.interfaces import IPortSource, IStreamPortSource
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.tls import Endpoint as TLSEndpoint
from e2aegw.sansio.tls import Trust
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.dtls import DTLSTransport
from e2aegw.transport.dtlsdata import DTLSDataTransport
from e2aegw.transport.dtlskeys import DTLSKeyTransport
from e2aegw.transport.local import LocalTransport
from e2aegw.transport.opaque import OpaqueTransport
from e2aegw.transport.stream import StreamTransport
from e2aegw.transport.tls import TLSTransport
from e2aegw.transport.udp import UDPTransport


@dataclass(frozen=True, slots=True)
class Materials:
    """
    What transports are made of.

    @ivar clock: provides C{IReactorTime}, and C{IReactorTCP} for streams.
    @ivar ports: where to get UDP ports.
    @ivar streams: where to get TCP ports.
    @ivar endpoint: our certificate, and what SRTP needs; called when one is
        needed.
    @ivar native: our certificates, one that browsers want and one of RSA, for
        terminals that are no browsers.
    @ivar tls: our certificate, for TLS.
    @ivar trust: whom to believe in TLS without a fingerprint.
    @ivar consent: whether to check for consent ourselves.
    @ivar lossTolerant: see L{e2aegw.sansio.sctp.settings.Settings}.
    """

    clock: Any
    ports: IPortSource
    streams: IStreamPortSource
    endpoint: Callable[[], Endpoint]
    native: Callable[[], Endpoint]
    tls: Callable[[], TLSEndpoint]
    trust: Trust | None = None
    consent: bool = False
    lossTolerant: bool = True


def _udp(materials: Materials) -> OpaqueTransport:
    return OpaqueTransport(materials.clock, materials.ports, control=False, consent=materials.consent)


def _udpWithControl(materials: Materials) -> UDPTransport:
    return UDPTransport(materials.clock, materials.ports, control=True, consent=materials.consent)


def _dtlsKeys(materials: Materials) -> DTLSKeyTransport:
    return DTLSKeyTransport(
        materials.clock, materials.ports, materials.endpoint(), control=True, consent=materials.consent
    )


def _dtls(materials: Materials) -> DTLSDataTransport:
    return DTLSDataTransport(
        materials.clock, materials.ports, materials.native(), control=False, consent=materials.consent
    )


def _tcp(materials: Materials) -> StreamTransport:
    return StreamTransport(materials.clock, materials.streams)


def _tls(materials: Materials) -> TLSTransport:
    return TLSTransport(materials.clock, materials.streams, materials.tls(), materials.trust)


def _channel(materials: Materials) -> ChannelCarrier:
    # There are stacks that take an association without keys for SRTP for none,
    # though they need no keys.
    dtls = DTLSTransport(
        materials.clock, materials.ports, materials.endpoint(), control=False, consent=materials.consent
    )
    return ChannelCarrier(materials.clock, dtls, lossTolerant=materials.lossTolerant)


def _local(materials: Materials) -> LocalTransport:
    return LocalTransport()


#: C{"udp"}: one port, without ICE.  C{"udp+rtcp"}: a port and the next, for
#: RTCP.
#: C{"dtls-srtp"}: the same, with keys agreed on by DTLS.
#: C{"dtls"}: one port, and all that goes through it inside DTLS.
#: C{"tcp"}: one connection, from whichever end the descriptions say.
#: C{"tls"}: the same, with TLS on it.
#: C{"channel"}: a data channel, of which the session asks a carrier.
#: C{"local"}: nothing; the party is an application in this process.
KINDS: dict[str, Callable[[Materials], Any]] = {
    "udp": _udp,
    "udp+rtcp": _udpWithControl,
    "dtls-srtp": _dtlsKeys,
    "dtls": _dtls,
    "tcp": _tcp,
    "tls": _tls,
    "channel": _channel,
    "local": _local,
}
