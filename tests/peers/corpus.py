"""
The calls of which the gateway's replies are compared with rtpengine's.
"""

from typing import Any

from tests.peers.messages import (
    AES32,
    AES80,
    ANN,
    ANN6,
    BEN,
    BEN6,
    FINGERPRINT,
    GCM128,
    GCM256,
    KEYS,
    PHONE,
    REPLACE,
    TO_BROWSER,
    TO_TELEPHONE,
    Call,
    Message,
    answer,
    audio,
    browserAnswer,
    call,
    chromium,
    chromiumVideo,
    crypto,
    describe,
    firefox,
    firefoxVideo,
    ice,
    offer,
    telephone,
    video,
)


def _plain() -> list[Call]:
    two = describe(audio(), video(), host=ANN)
    return [
        call(
            "two telephones",
            offer(telephone(host=ANN), replace=REPLACE),
            answer(telephone(), replace=REPLACE),
        ),
        call("no flags at all", offer(telephone(host=ANN)), answer(telephone())),
        call("no attributes at all", offer(describe(audio())), answer(describe(audio(port=4700), host=BEN))),
        call("fewer codecs in the answer", offer(telephone(host=ANN)), answer(telephone(formats="8 126"))),
        call(
            "an RTCP port that is not the next",
            offer(describe(audio("a=rtcp:4005"))),
            answer(describe(audio("a=rtcp:4711 IN IP4 127.0.0.3", port=4700), host=BEN)),
        ),
        call(
            "the address at media level",
            offer(describe(audio("c=IN IP4 127.0.0.2"), host="127.0.0.9")),
            answer(describe(audio("c=IN IP4 127.0.0.3", port=4700), host=BEN)),
        ),
        call(
            "bandwidths, information and packet times",
            offer(
                describe(
                    audio(
                        "i=speech",
                        "b=AS:80",
                        "b=RR:0",
                        "a=ptime:20",
                        "a=maxptime:60",
                        "a=silenceSupp:off - - - -",
                    ),
                    session=("b=CT:1000", "a=x-unknown:kept", "a=charset:UTF-8"),
                )
            ),
            answer(describe(audio("b=AS:64", "a=ptime:30", port=4700), host=BEN)),
        ),
        call("audio and video", offer(two), answer(describe(audio(port=4700), video(port=4710), host=BEN))),
        call("video rejected", offer(two), answer(describe(audio(port=4700), video(port=0), host=BEN))),
        call("audio rejected", offer(two), answer(describe(audio(port=0), video(port=4710), host=BEN))),
        call(
            "video offered as rejected",
            offer(describe(audio(), video(port=0))),
            answer(describe(audio(port=4700), video(port=0), host=BEN)),
        ),
        call(
            "two audio streams",
            offer(describe(audio("a=label:1"), audio("a=label:2", port=4020))),
            answer(describe(audio("a=label:1", port=4700), audio("a=label:2", port=4720), host=BEN)),
        ),
        call(
            "dynamic payload types",
            offer(
                describe(
                    audio(
                        "a=rtpmap:97 AMR-WB/16000/1",
                        "a=fmtp:97 mode-change-capability=2;max-red=0",
                        "a=rtpmap:98 AMR/8000",
                        formats="97 98",
                    )
                )
            ),
            answer(describe(audio("a=rtpmap:97 AMR-WB/16000/1", port=4700, formats="97"), host=BEN)),
        ),
        call(
            "lines that end in LF alone",
            offer(telephone(host=ANN).replace("\r\n", "\n")),
            answer(telephone().replace("\r\n", "\n")),
        ),
        call(
            "the names of the user and the session replaced",
            offer(telephone(host=ANN), replace=["origin", "session-connection", "username", "session-name"]),
            answer(telephone(), replace=["origin", "session-connection", "username", "session-name"]),
        ),
    ]


def _again() -> list[Call]:
    first = offer(telephone(host=ANN)), answer(telephone())
    one = describe(audio())
    two = describe(audio(), video(), version=2)

    def held(direction: str, host: str = ANN, port: int = 4000, version: int = 2) -> str:
        return describe(audio(f"a={direction}", port=port), host=host, version=version)

    return [
        call("the same offer twice", first[0], *first),
        call("the same answer twice", *first, first[1]),
        call("a provisional and a final answer", *first, answer(telephone(formats="8 126", port=4760))),
        call("the same offer again, after the answer", *first, *first),
        call(
            "hold with sendonly, and resume",
            *first,
            offer(held("sendonly")),
            answer(held("recvonly", BEN, 4700)),
            offer(held("sendrecv", version=3)),
            answer(held("sendrecv", BEN, 4700, 3)),
        ),
        call("hold with inactive", *first, offer(held("inactive")), answer(held("inactive", BEN, 4700))),
        call(
            "hold with the zero address, and resume",
            *first,
            offer(held("sendrecv", "0.0.0.0")),
            answer(held("sendrecv", BEN, 4700)),
            offer(held("sendrecv", version=3)),
            answer(held("sendrecv", BEN, 4700, 3)),
        ),
        call(
            "hold with the zero address, which is replaced",
            *first,
            offer(held("sendrecv", "0.0.0.0"), replace=["zero-address"]),
            answer(held("sendrecv", BEN, 4700)),
        ),
        call(
            "hold by the called party",
            *first,
            offer(held("sendonly", BEN, 4700), ("ben", "ann")),
            answer(held("recvonly", ANN, 4000), ("ben", "ann")),
        ),
        call(
            "a new address",
            *first,
            offer(telephone(port=4300, host="127.0.0.4")),
            answer(telephone(port=4790)),
        ),
        call(
            "video added and removed again",
            offer(one),
            answer(describe(audio(port=4700), host=BEN)),
            offer(two),
            answer(describe(audio(port=4700), video(port=4710), host=BEN, version=2)),
            offer(describe(audio(), video(port=0), version=3)),
            answer(describe(audio(port=4700), video(port=0), host=BEN, version=3)),
        ),
        call(
            "video added by the called party and refused",
            offer(one),
            answer(describe(audio(port=4700), host=BEN)),
            offer(describe(audio(port=4700), video(port=4710), host=BEN, version=2), ("ben", "ann")),
            answer(describe(audio(), video(port=0), version=2), ("ben", "ann")),
        ),
        call(
            "audio removed, video goes on",
            offer(describe(audio(), video())),
            answer(describe(audio(port=4700), video(port=4710), host=BEN)),
            offer(describe(audio(port=0), video(), version=2)),
            answer(describe(audio(port=0), video(port=4710), host=BEN, version=2)),
        ),
        call(
            "two branches",
            offer(telephone(host=ANN), via_branch="z9hG4bK1"),
            offer(telephone(host=ANN), via_branch="z9hG4bK2"),
            answer(telephone(), via_branch="z9hG4bK1"),
            answer(telephone(formats="8", host="127.0.0.5"), ("ann", "bob"), via_branch="z9hG4bK2"),
        ),
    ]


def _feedback() -> list[Call]:
    fb = audio("a=rtcp-fb:* trr-int 5000", "a=rtcp-fb:0 nack", proto="RTP/AVPF", formats="0")
    return [
        call(
            "AVPF on both sides",
            offer(describe(fb)),
            answer(describe(audio(port=4700, proto="RTP/AVPF"), host=BEN)),
        ),
        call(
            "AVPF to AVP",
            offer(describe(fb), transport_protocol="RTP/AVP"),
            answer(describe(audio(port=4700, formats="0"), host=BEN), transport_protocol="RTP/AVPF"),
        ),
        call(
            "AVPF to AVP, and nothing said of the answer",
            offer(describe(fb), transport_protocol="RTP/AVP"),
            answer(describe(audio(port=4700, formats="0"), host=BEN)),
        ),
        call(
            "AVP to AVPF",
            offer(telephone(host=ANN), transport_protocol="RTP/AVPF"),
            answer(describe(audio("a=rtcp-fb:0 nack", port=4700, proto="RTP/AVPF", formats="0"), host=BEN)),
        ),
    ]


def _mux() -> list[Call]:
    mux, plain = describe(audio("a=rtcp-mux")), describe(audio())
    muxed = describe(audio("a=rtcp-mux", port=4700), host=BEN)
    two = describe(audio(port=4700), host=BEN)
    return [
        call("multiplexing offered and taken", offer(mux), answer(muxed)),
        call("multiplexing offered and not taken", offer(mux), answer(two)),
        call("multiplexing undone", offer(mux, rtcp_mux=["demux"]), answer(two)),
        call(
            "multiplexing undone, said of both",
            offer(mux, rtcp_mux=["demux"]),
            answer(two, rtcp_mux=["offer"]),
        ),
        call("multiplexing added and taken", offer(plain, rtcp_mux=["offer"]), answer(muxed)),
        call("multiplexing added and not taken", offer(plain, rtcp_mux=["offer"]), answer(two)),
        call("multiplexing required", offer(plain, rtcp_mux=["require"]), answer(muxed)),
        call("multiplexing accepted", offer(mux, rtcp_mux=["accept"]), answer(two)),
        call("multiplexing accepted and undone", offer(mux, rtcp_mux=["accept", "demux"]), answer(two)),
        call("multiplexing rejected", offer(mux, rtcp_mux=["reject"]), answer(muxed)),
        call("multiplexing rejected and offered", offer(mux, rtcp_mux=["reject", "offer"]), answer(muxed)),
        call(
            "multiplexing dropped by a later offer",
            offer(mux),
            answer(muxed),
            offer(describe(audio(), version=2)),
            answer(two),
        ),
    ]


def _families() -> list[Call]:
    six, answered6 = telephone(host=ANN6), telephone(host=BEN6)
    return [
        call("IPv6 on both sides", offer(six), answer(answered6)),
        call(
            "IPv4 to IPv6",
            offer(telephone(host=ANN), address_family="IP6"),
            answer(answered6, address_family="IP4"),
        ),
        call("IPv6 to IPv4", offer(six, address_family="IP4"), answer(telephone(), address_family="IP6")),
        call(
            "IPv4 to IPv6, and nothing said of the answer",
            offer(telephone(host=ANN), address_family="IP6"),
            answer(answered6),
        ),
        call(
            "another address to be said",
            offer(telephone(host=ANN), media_address="203.0.113.7"),
            answer(telephone(), media_address="203.0.113.8"),
        ),
        call(
            "sides by their names",
            offer(telephone(host=ANN), direction=["access", "core"]),
            answer(telephone()),
        ),
        call(
            "a browser to a telephone with IPv6",
            offer(chromium(), **{**TO_TELEPHONE, "address-family": "IP6"}),
            answer(answered6, **{**TO_BROWSER, "address-family": "IP4"}),
        ),
    ]


def _ice() -> list[Call]:
    candidates = describe(audio(*ice(rtcp=True)))
    answered = describe(audio(*ice(4700, BEN, rtcp=True), port=4700), host=BEN)
    return [
        call("ICE on both sides", offer(candidates), answer(answered)),
        call("ICE removed", offer(candidates, ice="remove"), answer(telephone(formats="0 8"))),
        call("ICE removed both ways", offer(candidates, ice="remove"), answer(telephone(), ice="remove")),
        call("ICE forced", offer(telephone(host=ANN), ice="force"), answer(answered, ice="remove")),
        call("ICE forced on both sides", offer(candidates, ice="force"), answer(answered, ice="force")),
        call("ICE offered and not taken", offer(candidates), answer(telephone(formats="0 8"))),
        call(
            "ICE and multiplexing",
            offer(describe(audio("a=rtcp-mux", *ice()))),
            answer(describe(audio("a=rtcp-mux", *ice(4700, BEN), port=4700), host=BEN)),
        ),
        call(
            "ICE-lite offered to the called party",
            offer(candidates, ice="force", **{"ICE-lite": "forward"}),
            answer(answered, ice="force"),
        ),
    ]


def _sdes() -> list[Call]:
    def secured(
        *lines: str, proto: str = "RTP/SAVP", port: int = 4000, host: str = ANN, version: int = 1
    ) -> str:
        return describe(audio(*lines, proto=proto, port=port), host=host, version=version)

    plain = describe(audio(port=4700), host=BEN)
    one = secured(crypto(1, AES80))

    def taken(suite: str, proto: str = "RTP/SAVP", version: int = 1) -> str:
        return secured(crypto(f"{{tag:{suite}}}", suite), proto=proto, port=4700, host=BEN, version=version)

    to = {"transport-protocol": "RTP/AVP"}
    back = {"transport-protocol": "RTP/SAVP"}
    return [
        call("SDES to plain RTP", offer(one, **to), answer(plain, **back)),
        call("SDES to plain RTP, and nothing said of the answer", offer(one, **to), answer(plain)),
        call(
            "SDES with a choice",
            offer(secured(crypto(1, GCM256), crypto(2, AES80), crypto(3, AES32)), **to),
            answer(plain, **back),
        ),
        call(
            "SDES with tags that do not begin at one",
            offer(secured(crypto(7, AES32), crypto(9, AES80)), **to),
            answer(plain, **back),
        ),
        call(
            "SDES with a suite that nobody knows first",
            offer(secured(f"a=crypto:1 F8_128_HMAC_SHA1_96 inline:{KEYS[AES80]}", crypto(2, AES80)), **to),
            answer(plain, **back),
        ),
        call("SDES with GCM", offer(secured(crypto(1, GCM128)), **to), answer(plain, **back)),
        call(
            "SDES with a master key identifier",
            offer(secured(crypto(1, AES80, "|2^20|1:4")), **to),
            answer(plain, **back),
        ),
        call(
            "SDES with a lifetime",
            offer(secured(crypto(1, AES80, "|2^31")), **to),
            answer(plain, **back),
        ),
        call(
            "SDES with feedback to plain RTP",
            offer(secured(crypto(1, AES80), proto="RTP/SAVPF"), **to),
            answer(plain, **{"transport-protocol": "RTP/SAVPF"}),
        ),
        call("plain RTP to SDES", offer(telephone(host=ANN), **back), answer(taken(AES80), **to)),
        call(
            "plain RTP to SDES, another suite", offer(telephone(host=ANN), **back), answer(taken(AES32), **to)
        ),
        call("plain RTP to SDES with GCM", offer(telephone(host=ANN), **back), answer(taken(GCM128), **to)),
        call(
            "plain RTP to SDES with feedback",
            offer(telephone(host=ANN), **{"transport-protocol": "RTP/SAVPF"}),
            answer(taken(AES80, "RTP/SAVPF"), **to),
        ),
        call(
            "plain RTP to SDES, suites left out",
            offer(telephone(host=ANN), **back, SDES=[f"no-{AES32}", f"no-{GCM256}"]),
            answer(taken(AES80), **to),
        ),
        call(
            "plain RTP to SDES, one suite only",
            offer(telephone(host=ANN), **back, SDES=[f"only-{AES80}"]),
            answer(taken(AES80), **to),
        ),
        call("SDES end to end", offer(one), answer(taken(AES80))),
        call(
            "SDES on both sides, said so",
            offer(one, **back),
            answer(taken(AES80), **back),
        ),
        call(
            "SDES with a new key",
            offer(one, **to),
            answer(plain, **back),
            offer(secured(crypto(2, AES80, "|2^20"), version=2), **to),
            answer(plain, **back),
        ),
        call(
            "SDES held and resumed",
            offer(one, **to),
            answer(plain, **back),
            offer(secured(crypto(1, AES80), "a=sendonly", version=2), **to),
            answer(describe(audio("a=recvonly", port=4700), host=BEN, version=2), **back),
        ),
        call(
            "SDES with video",
            offer(
                describe(
                    audio(crypto(1, AES80), proto="RTP/SAVP"), video(crypto(1, AES80), proto="RTP/SAVP")
                ),
                **to,
            ),
            answer(describe(audio(port=4700), video(port=4710), host=BEN), **back),
        ),
        call(
            "SDES with video, which is rejected",
            offer(
                describe(
                    audio(crypto(1, AES80), proto="RTP/SAVP"), video(crypto(1, AES80), proto="RTP/SAVP")
                ),
                **to,
            ),
            answer(describe(audio(port=4700), video(port=0), host=BEN), **back),
        ),
    ]


def _dtls() -> list[Call]:
    def secured(
        setup: str, *more: str, proto: str = "UDP/TLS/RTP/SAVP", port: int = 4000, host: str = ANN
    ) -> str:
        lines = (FINGERPRINT, f"a=setup:{setup}", *more)
        return describe(audio(*lines, proto=proto, port=port), host=host)

    plain = describe(audio(port=4700), host=BEN)
    to = {"transport-protocol": "RTP/AVP"}
    back = {"transport-protocol": "UDP/TLS/RTP/SAVP"}
    off = {"SDES": ["off"]}
    return [
        call("DTLS-SRTP to plain RTP", offer(secured("actpass"), **to), answer(plain, **back)),
        call("DTLS-SRTP from a client", offer(secured("active"), **to), answer(plain, **back)),
        call("DTLS-SRTP from a server", offer(secured("passive"), **to), answer(plain, **back)),
        call(
            "DTLS-SRTP, we are the client",
            offer(secured("actpass"), **to),
            answer(plain, **back, DTLS="active"),
        ),
        call(
            "DTLS-SRTP, we are the server",
            offer(secured("actpass"), **to),
            answer(plain, **back, DTLS="passive"),
        ),
        call(
            "DTLS-SRTP with feedback",
            offer(secured("actpass", proto="UDP/TLS/RTP/SAVPF"), **to),
            answer(plain, **{"transport-protocol": "UDP/TLS/RTP/SAVPF"}),
        ),
        call(
            "plain RTP to DTLS-SRTP",
            offer(telephone(host=ANN), **back, **off),
            answer(secured("active", port=4700, host=BEN), **to),
        ),
        call(
            "plain RTP to DTLS-SRTP, the called party is the server",
            offer(telephone(host=ANN), **back, **off),
            answer(secured("passive", port=4700, host=BEN), **to),
        ),
        call(
            "DTLS-SRTP with multiplexing and ICE, held and resumed",
            offer(chromium(), **TO_TELEPHONE),
            answer(telephone(), **TO_BROWSER),
            offer(chromium().replace("a=sendrecv", "a=sendonly"), **TO_TELEPHONE),
            answer(telephone().replace("a=sendrecv", "a=recvonly"), **TO_BROWSER),
            offer(chromium(), **TO_TELEPHONE),
            answer(telephone(), **TO_BROWSER),
        ),
        call(
            "DTLS-SRTP to SDES",
            offer(secured("actpass"), **{"transport-protocol": "RTP/SAVP", "DTLS": "off"}),
            answer(
                describe(audio(crypto(f"{{tag:{AES80}}}", AES80), port=4700, proto="RTP/SAVP"), host=BEN),
                **back,
            ),
        ),
        call(
            "DTLS-SRTP on both sides",
            offer(secured("actpass"), **back, **off),
            answer(secured("active", port=4700, host=BEN), **back),
        ),
    ]


def _browsers() -> list[Call]:
    both = chromium(chromiumVideo(), group="0 1")
    return [
        call(
            "Chromium calls a telephone", offer(chromium(), **TO_TELEPHONE), answer(telephone(), **TO_BROWSER)
        ),
        call(
            "Firefox calls a telephone", offer(firefox(), **TO_TELEPHONE), answer(telephone(), **TO_BROWSER)
        ),
        call(
            "a telephone calls a browser",
            offer(telephone(host=ANN), **TO_BROWSER),
            answer(browserAnswer(), **TO_TELEPHONE),
        ),
        call(
            "a telephone calls a browser, which is the server",
            offer(telephone(host=ANN), **TO_BROWSER),
            answer(browserAnswer("passive"), **TO_TELEPHONE),
        ),
        call(
            "a browser's bundle",
            offer(both, **TO_TELEPHONE),
            answer(
                describe(audio(*PHONE, port=4700, formats="0 8 126"), video(port=4710), host=BEN),
                **TO_BROWSER,
            ),
        ),
        call(
            "a browser's bundle, video rejected",
            offer(both, **TO_TELEPHONE),
            answer(
                describe(audio(*PHONE, port=4700, formats="0 8 126"), video(port=0), host=BEN), **TO_BROWSER
            ),
        ),
        call(
            "Firefox's bundle",
            offer(firefox(firefoxVideo(), group="0 1"), **TO_TELEPHONE),
            answer(describe(audio(port=4700, formats="0"), video(port=4710), host=BEN), **TO_BROWSER),
        ),
        call(
            "a browser adds video",
            offer(chromium(), **TO_TELEPHONE),
            answer(telephone(), **TO_BROWSER),
            offer(both, **TO_TELEPHONE),
            answer(
                describe(audio(*PHONE, port=4700, formats="0 8 126"), video(port=4710), host=BEN),
                **TO_BROWSER,
            ),
        ),
        call(
            "a browser starts ICE anew",
            offer(chromium(), **TO_TELEPHONE),
            answer(telephone(), **TO_BROWSER),
            offer(chromium().replace("anns", "new1"), **TO_TELEPHONE),
            answer(telephone(), **TO_BROWSER),
        ),
        call(
            "a browser answers provisionally and finally",
            offer(telephone(host=ANN), **TO_BROWSER),
            answer(browserAnswer(), **TO_TELEPHONE),
            answer(browserAnswer(), **TO_TELEPHONE),
        ),
        call(
            "a telephone holds a browser",
            offer(telephone(host=ANN), **TO_BROWSER),
            answer(browserAnswer(), **TO_TELEPHONE),
            offer(telephone(host=ANN).replace("a=sendrecv", "a=inactive"), **TO_BROWSER),
            answer(browserAnswer().replace("a=sendrecv", "a=inactive"), **TO_TELEPHONE),
        ),
    ]


def _flags() -> list[Call]:
    def both(name: str, **keys: Any) -> Call:
        return call(name, offer(telephone(host=ANN), **keys), answer(telephone(), **keys))

    return [
        both("traffic class", tos=184),
        both(
            "the signalling's address trusted",
            flags=["SIP-source-address"],
            received_from=["IP4", "127.0.0.8"],
        ),
        both(
            "the description's address trusted", flags=["trust-address"], received_from=["IP4", "127.0.0.8"]
        ),
        both("asymmetric", flags=["asymmetric"]),
        both("strict about the source", flags=["strict-source"]),
        both("ports that stay", flags=["port-latching"]),
        both("flags that nobody knows", flags=["x-never-heard-of"], x_key="value"),
        both("no line for RTCP", flags=["no-rtcp-attribute"]),
        both("lists of what the controller can do", supports=["load limit"]),
    ]


def _errors() -> list[Call]:
    return [
        call("an offer without a description", offer(None)),
        call("an offer that is none", offer("this is no description")),
        call("an offer with no media", offer(describe())),
        call("an answer to nothing", answer(telephone())),
        call("a media line that is cut off", offer(describe("m=audio 4000"))),
        call("a port that is none", offer(describe("m=audio x RTP/AVP 0"))),
        call("a query for nothing", Message(command="query", sdp=None)),
        call("a command that nobody knows", Message(command="x-never-heard-of", sdp=None)),
        call("an empty description", offer("")),
    ]


#: All calls.
CALLS: tuple[Call, ...] = tuple(
    _plain()
    + _again()
    + _feedback()
    + _mux()
    + _families()
    + _ice()
    + _sdes()
    + _dtls()
    + _browsers()
    + _flags()
    + _errors()
)
