"""
Datagrams of which the first octet may be anything.
"""

from collections.abc import Sequence
from dataclasses import replace

from e2aegw.sansio.sdp import Line
from e2aegw.sansio.terms import ICE, Terms
from e2aegw.transport.udp import UDPTransport


class OpaqueTransport(UDPTransport):
    """
    A UDP port for a medium that RFC 7983 has not made room for: UDPTL begins
    with a number that counts up from zero, through the octets of STUN, DTLS
    and all others.  So there is no ICE here, and everything is the medium's.
    """

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        return super().describe(terms if terms.ice is ICE.REMOVE else replace(terms, ice=ICE.REMOVE))

    def _configureICE(self, ufrag: str | None, pwd: str | None, terms: Terms) -> None:
        """
        What the remote party says of it is as if it was not said (RFC 8839
        clause 4.2.5: an answer without ICE).
        """
