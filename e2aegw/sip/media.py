"""
What a UE and the network can protect up to the edge: the entries with
C{;mediasec} among the mechanisms of a security agreement (TS 24.229 clause
7.2A.7), each medium by itself.

They are not chosen by preference as those for signalling are: what both sides
name may be used, and nothing else.
"""

from collections.abc import Collection, Iterable, Sequence, Set

from e2aegw.errors import UsageError
from e2aegw.sip.mechanism import Mechanism, parse, serialize

#: The parameter that tells these entries from those for signalling.
MEDIASEC = "mediasec"

#: RTP, with keys in the description (TS 33.328 clause 5.5.2).
SDES_SRTP = "sdes-srtp"
#: RTP, with keys from DTLS.  TS 24.229 has no such token; there are UEs and
#: registrars that do.
DTLS_SRTP = "dtls-srtp"
#: MSRP over TLS.
MSRP_TLS = "msrp-tls"
#: BFCP over TLS.
BFCP_TLS = "bfcp-tls"
#: T.38 over DTLS.
UDPTL_DTLS = "udptl-dtls"
#: A browser's media.  Nobody announces it: it is what comes over WebSocket
#: (TS 24.371).
WEBRTC = "webrtc"

#: For each token that may be announced, the medium that it is about.
MEDIA = {SDES_SRTP: "rtp", DTLS_SRTP: "rtp", MSRP_TLS: "msrp", BFCP_TLS: "bfcp", UDPTL_DTLS: "udptl"}
#: All of TS 24.229 clause 7.2A.7, in its order.
STANDARD = (SDES_SRTP, MSRP_TLS, BFCP_TLS, UDPTL_DTLS)
#: The tokens that a gateway is told of in C{e2ae}.
TOLD = frozenset({*MEDIA, WEBRTC})


def isMedia(mechanism: Mechanism) -> bool:
    """
    Whether an entry is about media, known to us or not.
    """
    return mechanism.has(MEDIASEC)


def announced(mechanisms: Iterable[Mechanism]) -> frozenset[str]:
    """
    The tokens for media among the mechanisms that a party lists.  Unknown ones
    say nothing.
    """
    return frozenset(each.name for each in mechanisms if isMedia(each) and each.name in MEDIA)


def supported(theirs: Iterable[str], ours: Collection[str]) -> frozenset[str]:
    """
    What both sides have.

    @param theirs: the values of the UE's C{Security-Client}.
    @param ours: our own tokens.

    @raise RemoteError: the values cannot be read.
    """
    return announced(parse(theirs)) & frozenset(ours)


def of(medium: str, tokens: Set[str]) -> frozenset[str]:
    """
    The tokens that are about a medium: C{"rtp"}, C{"msrp"}, C{"bfcp"} or
    C{"udptl"}.
    """
    return frozenset(token for token in tokens if MEDIA.get(token) == medium)


def entry(token: str) -> Mechanism:
    """
    The entry that announces a token.

    @raise UsageError: there is no such token.
    """
    if token not in MEDIA:
        raise UsageError(f"{token!r} is no mechanism for media")
    return Mechanism(f"{token};{MEDIASEC}", token, ((MEDIASEC, None),))


def announce(ours: Iterable[str], signalling: Iterable[str] = ()) -> str:
    """
    The value of C{Security-Server}, for the 401 and the 200 to a REGISTER, or
    of a UE's C{Security-Client}.

    @param ours: our tokens; they are written in the order of TS 24.229.
    @param signalling: values with what is agreed on for signalling, which come
        first and as they are.

    @return: C{""} if there is nothing to announce.

    @raise RemoteError: the values cannot be read.
    @raise UsageError: there is no such token.
    """
    order = list(MEDIA)
    media = [entry(token) for token in ours]
    media.sort(key=lambda each: order.index(each.name))
    return serialize([*withoutMedia(parse(signalling)), *media])


def verify(server: Iterable[str]) -> str:
    """
    The value of C{Security-Verify}, which a UE sends from then on: what the
    C{Security-Server} had, media and signalling alike, in that order.

    @raise RemoteError: the values cannot be read.
    """
    return serialize(parse(server))


def strip(values: Iterable[str]) -> list[str]:
    """
    What goes on to the core of a header field: nothing about media.  A value
    that had nothing else is left out, and one that had nothing of the kind is
    as it was.

    @raise RemoteError: the values cannot be read.  Nothing of them may go on:
        nobody can say what is in them.
    """
    result: list[str] = []
    total = [values] if isinstance(values, str) else list(values)
    parse(total)
    for value in total:
        mechanisms = parse([value])
        kept = withoutMedia(mechanisms)
        if len(kept) == len(mechanisms):
            result.append(value)
        elif kept:
            result.append(serialize(kept))
    return result


def withoutMedia(mechanisms: Sequence[Mechanism]) -> list[Mechanism]:
    """
    The entries that are about signalling.
    """
    return [each for each in mechanisms if not isMedia(each)]


def told(tokens: Set[str], webSocket: bool = False) -> str:
    """
    What to tell the gateway in ng's key C{e2ae}.

    @param tokens: what both sides have.
    @param webSocket: whether the UE registered over WebSocket.

    @return: tokens, separated by commas, or C{"none"}: then nothing was agreed
        on, and who asks for protection is refused.
    """
    known = tokens & TOLD
    order = [*MEDIA, WEBRTC]
    names = [token for token in order if token in known or (webSocket and token == WEBRTC)]
    return ",".join(names) or "none"
