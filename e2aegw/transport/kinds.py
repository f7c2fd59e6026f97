"""
The kinds of transport that an adapter factory may name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2aegw.interfaces import IPortSource
from e2aegw.sansio.dtls import Endpoint
from e2aegw.transport.dtlskeys import DTLSKeyTransport
from e2aegw.transport.udp import UDPTransport


@dataclass(frozen=True, slots=True)
class Materials:
    """
    What transports are made of.

    @ivar clock: provides C{IReactorTime}.
    @ivar ports: where to get UDP ports.
    @ivar endpoint: our certificate; called when one is needed.
    @ivar consent: whether to check for consent ourselves.
    """

    clock: Any
    ports: IPortSource
    endpoint: Callable[[], Endpoint]
    consent: bool = False


def _udp(materials: Materials) -> UDPTransport:
    return UDPTransport(materials.clock, materials.ports, control=False, consent=materials.consent)


def _udpWithControl(materials: Materials) -> UDPTransport:
    return UDPTransport(materials.clock, materials.ports, control=True, consent=materials.consent)


def _dtlsKeys(materials: Materials) -> DTLSKeyTransport:
    return DTLSKeyTransport(
        materials.clock, materials.ports, materials.endpoint(), control=True, consent=materials.consent
    )


#: C{"udp"}: one port.  C{"udp+rtcp"}: a port and the next, for RTCP.
#: C{"dtls-srtp"}: the same, with keys agreed on by DTLS.
KINDS: dict[str, Callable[[Materials], Any]] = {
    "udp": _udp,
    "udp+rtcp": _udpWithControl,
    "dtls-srtp": _dtlsKeys,
}
