"""
Calls through a media gateway, between two parties that are sockets of ours.
"""

import itertools
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import terminal
from e2aegw.sansio import sdes
from e2aegw.sansio.sdp import Description
from e2aegw.sansio.srtp import Keys, Profile
from tests.peers.ng import NG

#: Where our parties are.
HOST = "127.0.0.1"
#: A port of a party that nothing is sent to.
SOMEWHERE = 9

#: What a terminal says that will begin a handshake of DTLS.
_SECURED = ["a=3ge2ae:requested", "a=setup:active", f"a=fingerprint:{terminal.FINGERPRINT}"]

_numbers = itertools.count()
#: What a SIP proxy says with what goes to the core side, ...
OFFER_FLAGS: dict[str, Any] = {
    "direction": ["access", "core"],
    "transport-protocol": "RTP/AVP",
    "ICE": "remove",
    "rtcp-mux": ["demux"],
}
#: ... to an SDES terminal ...
ANSWER_FLAGS_SDES: dict[str, Any] = {
    "transport-protocol": "RTP/SAVP",
    "ICE": "remove",
    # rtpengine leaves the padding of base64 out unless it is told.
    "SDES": ["pad"],
}
#: ... and to a DTLS-SRTP terminal.
ANSWER_FLAGS_DTLS: dict[str, Any] = {
    "transport-protocol": "UDP/TLS/RTP/SAVPF",
    "ICE": "force",
    "rtcp-mux": ["offer"],
    "SDES": ["off"],
}
#: ... and to one without ICE.
ANSWER_FLAGS_KEYS: dict[str, Any] = {**ANSWER_FLAGS_DTLS, "ICE": "remove"}
#: With fax there is nothing to translate.
FAX_FLAGS: dict[str, Any] = {"direction": ["access", "core"], "ICE": "remove"}
#: With this T.38 over DTLS does.
SECURE_FAX_FLAGS: dict[str, Any] = {**FAX_FLAGS, "e2ae": "udptl-dtls"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """
    A party of a call.

    @ivar remote: where it sends.
    @ivar keys: of what it receives and of what it sends, if it is protected.
    @ivar fax: whether it speaks UDPTL, and not RTP.
    """

    socket: socket.socket
    remote: tuple[str, int]
    keys: tuple[Keys, Keys] | None = None
    fax: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    A call that was answered.
    """

    access: End
    core: End

    def close(self) -> None:
        """
        Let go of the parties' sockets.
        """
        self.access.socket.close()
        self.core.socket.close()


def sdesCall(ng: NG, profile: Profile = Profile.AES_CM_128_HMAC_SHA1_80) -> Call:
    """
    Set up a call from an SDES terminal.
    """
    access, core = _bound(), _bound()
    ours = sdes.generate("1", profile)
    offer, answer = _signal(
        ng, sdesOffer(_port(access), str(ours.line())), ANSWER_FLAGS_SDES, plainAnswer(_port(core))
    )
    theirs = sdes.Crypto.parse(answer.sections[0].get("crypto") or "")
    return Call(
        access=End(socket=access, remote=_remote(answer), keys=(theirs.keys, ours.keys)),
        core=End(socket=core, remote=_remote(offer)),
    )


def dtlsCall(ng: NG, *, client: bool = True) -> Call:
    """
    Set up a call from a DTLS-SRTP terminal, up to the keys.

    @param client: whether the terminal begins the handshake.
    """
    access, core = _bound(), _bound()
    sdp = dtlsOffer(_port(access), "active" if client else "passive")
    offer, answer = _signal(ng, sdp, ANSWER_FLAGS_DTLS, plainAnswer(_port(core)))
    section, remote = answer.sections[0], _remote(answer)
    keys = terminal.agree(
        access, remote, section.get("ice-ufrag") or "", section.get("ice-pwd") or "", client=client
    )
    return Call(
        access=End(socket=access, remote=remote, keys=keys), core=End(socket=core, remote=_remote(offer))
    )


def faxCall(ng: NG) -> Call:
    """
    Set up a call between terminals of T.38 without protection.
    """
    access, core = _bound(), _bound()
    offer, answer = _signal(ng, faxOffer(_port(access)), FAX_FLAGS, faxOffer(_port(core)), FAX_FLAGS)
    return Call(
        access=End(socket=access, remote=_remote(answer), fax=True),
        core=End(socket=core, remote=_remote(offer), fax=True),
    )


def unsecuredCall(ng: NG) -> Call:
    """
    Set up a call from a DTLS-SRTP terminal without ICE that will begin the
    handshake.
    """
    access, core = _bound(), _bound()
    offer = _description(_port(access), "UDP/TLS/RTP/SAVPF", ["a=rtcp-mux", *_SECURED])
    there, here = _signal(ng, offer, ANSWER_FLAGS_KEYS, plainAnswer(_port(core)))
    return Call(access=End(socket=access, remote=_remote(here)), core=End(socket=core, remote=_remote(there)))


def unsecuredFaxCall(ng: NG) -> Call:
    """
    Set up a call from a terminal of T.38 over DTLS that will begin the
    handshake.
    """
    access, core = _bound(), _bound()
    offer = faxOffer(_port(access), "UDP/TLS/UDPTL", _SECURED)
    answer = faxOffer(_port(core))
    there, here = _signal(ng, offer, FAX_FLAGS, answer, SECURE_FAX_FLAGS)
    return Call(
        access=End(socket=access, remote=_remote(here), fax=True),
        core=End(socket=core, remote=_remote(there), fax=True),
    )


def _signal(
    ng: NG, offer: str, flags: dict[str, Any], answer: str, toCore: dict[str, Any] = OFFER_FLAGS
) -> tuple[Description, Description]:
    """
    Do what a SIP proxy does for a call from the access side.

    @param flags: what goes with the answer.
    @param toCore: what goes with the offer.

    @return: what the core side gets, and what the access side gets.

    @raise RuntimeError: the gateway refuses.
    """
    number = next(_numbers)
    call = {"call-id": f"bench-{os.getpid()}-{number}", "from-tag": f"from{number}"}
    there = ng.request({"command": "offer", **call, "sdp": offer, **toCore})
    if there["result"] != "ok":
        raise RuntimeError(f"an offer is refused: {there}")
    here = ng.request({"command": "answer", **call, "to-tag": f"to{number}", "sdp": answer, **flags})
    if here["result"] != "ok":
        raise RuntimeError(f"an answer is refused: {here}")
    return Description.parse(there["sdp"]), Description.parse(here["sdp"])


def sdesOffer(port: int, crypto: str) -> str:
    """
    What an SDES terminal offers.
    """
    return _description(port, "RTP/SAVP", [crypto, "a=3ge2ae:requested"])


def dtlsOffer(port: int, setup: str) -> str:
    """
    What a DTLS-SRTP terminal offers.
    """
    return _description(
        port,
        "UDP/TLS/RTP/SAVPF",
        [
            "a=rtcp-mux",
            f"a=setup:{setup}",
            f"a=fingerprint:{terminal.FINGERPRINT}",
            f"a=ice-ufrag:{terminal.UFRAG}",
            f"a=ice-pwd:{terminal.PASSWORD}",
            f"a=candidate:1 1 udp {terminal.PRIORITY} {HOST} {port} typ host",
        ],
    )


def plainAnswer(port: int) -> str:
    """
    What a party on the core side answers.
    """
    return _description(port, "RTP/AVP", [])


def faxOffer(port: int, proto: str = "udptl", more: Sequence[str] = ()) -> str:
    """
    What a terminal of T.38 says.

    @param more: attributes of its protection.
    """
    attributes = ["a=T38FaxVersion:0", "a=T38MaxBitRate:14400", "a=T38FaxUdpEC:t38UDPRedundancy"]
    return _join([f"m=image {port} {proto} t38", *attributes, *more])


def _description(port: int, proto: str, attributes: list[str]) -> str:
    return _join([f"m=audio {port} {proto} 0", "a=rtpmap:0 PCMU/8000", *attributes, "a=sendrecv"])


def _join(section: list[str]) -> str:
    lines = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0", *section]
    return "".join(line + "\r\n" for line in lines)


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    return sock


def _port(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def _remote(description: Description) -> tuple[str, int]:
    section = description.sections[0]
    if section.rejected or section.address is None:
        raise RuntimeError("a line is rejected")
    return section.address, section.port
