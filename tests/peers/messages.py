"""
Calls, as the ng messages that a controller sends for them.

Only what the controller knows by itself is here; where a party's answer
depends on what it was offered, a placeholder stands in its description:
C{{tag:SUITE}} is the tag under which the last reply offered an SDES suite.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

#: The two parties' addresses.  Nobody sends anything there.
ANN, BEN = "127.0.0.2", "127.0.0.3"
ANN6, BEN6 = "::2", "::3"

AES80, AES32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
GCM128, GCM256 = "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
#: Keys for each suite: never used for anything.
KEYS = {
    AES80: "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
    AES32: "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJC",
    GCM128: "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQw==",
    GCM256: "RERERERERERERERERERERERERERERERERERERERERERERERERERERERERA==",
}
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["5A"] * 32)

REPLACE = ["origin", "session-connection"]
#: What a Kamailio says of what goes to a telephone, and to a browser.
TO_TELEPHONE = {"transport-protocol": "RTP/AVP", "ICE": "remove", "rtcp-mux": ["demux"], "replace": REPLACE}
TO_BROWSER = {
    "transport-protocol": "UDP/TLS/RTP/SAVPF",
    "ICE": "force",
    "rtcp-mux": ["offer"],
    "SDES": ["off"],
    "replace": REPLACE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A message from the controller.

    @ivar command: C{"offer"}, ...
    @ivar sdp: the description, or L{None}.
    @ivar keys: other keys.
    @ivar tags: from-tag and to-tag.
    """

    command: str
    sdp: str | None
    keys: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ("ann",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    A call.

    @ivar name: what it is about.
    @ivar messages: its messages, in order.
    """

    name: str
    messages: tuple[Message, ...]


def offer(sdp: str | None, tags: Sequence[str] = ("ann",), **keys: Any) -> Message:
    """
    An offer, Ann's first one unless the tags say otherwise.
    """
    return Message(command="offer", sdp=sdp, keys=_keys(keys), tags=tuple(tags))


def answer(sdp: str | None, tags: Sequence[str] = ("ann", "ben"), **keys: Any) -> Message:
    """
    An answer, Ben's unless the tags say otherwise.
    """
    return Message(command="answer", sdp=sdp, keys=_keys(keys), tags=tuple(tags))


def _keys(keys: dict[str, Any]) -> dict[str, Any]:
    names = {"ice": "ICE", "dtls": "DTLS", "sdes": "SDES", "tos": "TOS"}
    return {names.get(key, key.replace("_", "-")): value for key, value in keys.items()}


def call(name: str, *messages: Message) -> Call:
    """
    A call.
    """
    return Call(name=name, messages=messages)


def fill(sdp: str, last: str) -> str:
    """
    Replace the placeholders in a description by what the last reply said.
    """
    tags = {suite: tag for tag, suite in re.findall(r"a=crypto:(\d+) (\S+)", last)}
    return re.sub(r"\{tag:(\w+)\}", lambda match: tags.get(match[1], "1"), sdp)


def describe(*sections: str, host: str = ANN, version: int = 1, session: Sequence[str] = ()) -> str:
    """
    A description with its address at session level.
    """
    family = "IP6" if ":" in host else "IP4"
    head = ["v=0", f"o=x 77 {version} IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0", *session]
    return "\r\n".join([*head, *sections]) + "\r\n"


def audio(
    *attributes: str, port: int = 4000, proto: str = "RTP/AVP", formats: str = "0 8", media: str = "audio"
) -> str:
    """
    A media section.
    """
    return "\r\n".join([f"m={media} {port} {proto} {formats}", *attributes])


def video(*attributes: str, port: int = 4010, proto: str = "RTP/AVP", formats: str = "96") -> str:
    """
    A media section of video.
    """
    return audio("a=rtpmap:96 VP8/90000", *attributes, port=port, proto=proto, formats=formats, media="video")


def crypto(tag: object, suite: str, more: str = "") -> str:
    """
    An SDES line.
    """
    return f"a=crypto:{tag} {suite} inline:{KEYS[suite]}{more}"


def ice(port: int = 4000, host: str = ANN, *, rtcp: bool = False) -> tuple[str, ...]:
    """
    What an ICE agent with one address says.
    """
    lines = [
        "a=ice-ufrag:anns",
        "a=ice-pwd:annspasswordannspassword",
        f"a=candidate:1 1 UDP 2130706431 {host} {port} typ host",
    ]
    if rtcp:
        lines.append(f"a=candidate:1 2 UDP 2130706430 {host} {port + 1} typ host")
    return tuple(lines)


OPUS = (
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=rtpmap:9 G722/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:126 telephone-event/8000",
)
EXTENSIONS = (
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
)
VP8 = (
    "a=rtcp-fb:96 goog-remb",
    "a=rtcp-fb:96 ccm fir",
    "a=rtcp-fb:96 nack",
    "a=rtcp-fb:96 nack pli",
    "a=rtpmap:97 rtx/90000",
    "a=fmtp:97 apt=96",
)


def chromium(*more: str, setup: str = "actpass", group: str = "0") -> str:
    """
    What Chromium says, in essence: everything at media level, audio first.
    """
    return describe(
        audio(
            "c=IN IP4 127.0.0.1",
            "a=rtcp:9 IN IP4 0.0.0.0",
            *ice(host="127.0.0.1"),
            "a=ice-options:trickle",
            FINGERPRINT,
            f"a=setup:{setup}",
            "a=mid:0",
            *EXTENSIONS,
            "a=sendrecv",
            "a=msid:stream track",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            *OPUS,
            "a=ssrc:1234 cname:chromium",
            "a=ssrc:1234 msid:stream track",
            proto="UDP/TLS/RTP/SAVPF",
            formats="111 9 0 8 126",
        ),
        *more,
        host="127.0.0.1",
        session=(f"a=group:BUNDLE {group}", "a=extmap-allow-mixed", "a=msid-semantic: WMS stream"),
    )


def chromiumVideo(port: int = 4000, setup: str = "actpass") -> str:
    """
    Chromium's second section.
    """
    return audio(
        "c=IN IP4 127.0.0.1",
        "a=rtcp:9 IN IP4 0.0.0.0",
        *ice(port, "127.0.0.1"),
        "a=ice-options:trickle",
        FINGERPRINT,
        f"a=setup:{setup}",
        "a=mid:1",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:96 VP8/90000",
        *VP8,
        port=port,
        proto="UDP/TLS/RTP/SAVPF",
        formats="96 97",
        media="video",
    )


def firefox(*more: str, setup: str = "actpass", group: str = "0") -> str:
    """
    What Firefox says, in essence: the fingerprint and more at session level.
    """
    return describe(
        audio(
            "c=IN IP4 192.0.2.2",
            "a=candidate:0 1 UDP 2122252543 192.0.2.2 4000 typ host",
            "a=sendrecv",
            "a=end-of-candidates",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level",
            "a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1",
            "a=fmtp:101 0-15",
            "a=ice-pwd:fefefefefefefefefefefefefefefefe",
            "a=ice-ufrag:fefefefe",
            "a=mid:0",
            "a=msid:stream track",
            "a=rtcp-mux",
            "a=rtpmap:109 opus/48000/2",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000/1",
            f"a=setup:{setup}",
            "a=ssrc:4321 cname:firefox",
            proto="UDP/TLS/RTP/SAVPF",
            formats="109 0 101",
        ),
        *more,
        host="192.0.2.2",
        session=(
            "a=sendrecv",
            FINGERPRINT,
            f"a=group:BUNDLE {group}",
            "a=ice-options:trickle",
            "a=msid-semantic:WMS *",
        ),
    )


def firefoxVideo() -> str:
    """
    Firefox's second section: bundled with the first and nothing else.
    """
    return video(
        "a=bundle-only",
        "a=sendrecv",
        "a=ice-pwd:fefefefefefefefefefefefefefefefe",
        "a=ice-ufrag:fefefefe",
        "a=mid:1",
        "a=rtcp-mux",
        *VP8,
        "a=setup:actpass",
        port=0,
        proto="UDP/TLS/RTP/SAVPF",
        formats="96 97",
    )


def browserAnswer(setup: str = "active", *more: str) -> str:
    """
    What a browser answers to an offer of PCMU.
    """
    return describe(
        audio(
            "a=rtcp:9 IN IP4 0.0.0.0",
            *ice(4600, BEN),
            FINGERPRINT,
            f"a=setup:{setup}",
            "a=mid:0",
            "a=sendrecv",
            "a=rtcp-mux",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:126 telephone-event/8000",
            port=4600,
            proto="UDP/TLS/RTP/SAVPF",
            formats="0 126",
        ),
        *more,
        host=BEN,
        session=("a=group:BUNDLE 0", "a=msid-semantic: WMS stream"),
    )


PHONE = (
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:126 telephone-event/8000",
    "a=fmtp:126 0-15",
    "a=sendrecv",
    "a=ptime:20",
)


def telephone(*attributes: str, port: int = 4700, formats: str = "0 8 126", host: str = BEN) -> str:
    """
    What a telephone says, as an offer or an answer.
    """
    return describe(
        audio(*PHONE, *attributes, port=port, formats=formats), host=host, session=("a=tool:telephone",)
    )
