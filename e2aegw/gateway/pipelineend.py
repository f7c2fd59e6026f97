"""
One end of a static pipeline, as the configuration describes it: in the manner
of Twisted's endpoint strings.

    >>> end = PipelineEnd.parse("core", r"udptl:port=4000:to=192.0.2.9\\:4100")
    >>> end.scheme, end.port, end.remote
    ('udptl', 4000, ('192.0.2.9', 4100))
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.sansio.certificate import Fingerprint
from e2aegw.sansio.sdes import Crypto
from e2aegw.sansio.sdp import Line, Section


class Scheme(NamedTuple):
    """
    What an end may be.

    @ivar media, proto, format: what a description would say.
    @ivar kind: the kind of transport.
    @ivar adapter: the name of the adapter.
    @ivar medium: what both ends of a pipeline must have in common.
    @ivar stream: whether it is a connection, of which there may be many.
    @ivar secured: whether it is TLS or DTLS.
    """

    media: str
    proto: str
    format: str
    kind: str
    adapter: str
    medium: str
    stream: bool = False
    secured: bool = False


#: All octets of a stream pass: it does not matter which protocol that is.
_STREAM = ("message", "TCP/TLS/MSRP", "*")
SCHEMES: Mapping[str, Scheme] = {
    "tcp": Scheme(*_STREAM, "tcp", "relay", "octets", stream=True),
    "tls": Scheme(*_STREAM, "tls", "relay", "octets", stream=True, secured=True),
    "udptl": Scheme("image", "udptl", "t38", "udp", "udptl", "udptl"),
    "dtls-udptl": Scheme("image", "UDP/TLS/UDPTL", "t38", "dtls", "udptl", "udptl", secured=True),
    "rtp": Scheme("audio", "RTP/AVP", "0", "udp+rtcp", "rtp", "rtp"),
    "srtp": Scheme("audio", "RTP/SAVP", "0", "udp+rtcp", "srtp", "rtp"),
    "dtls-srtp": Scheme("audio", "UDP/TLS/RTP/SAVP", "0", "dtls-srtp", "srtp", "rtp", secured=True),
}
_KEYS = frozenset({"interface", "port", "to", "fingerprint", "setup", "crypto", "key"})
_DISCARD = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineEnd:
    """
    One end.

    @ivar scheme: one of L{SCHEMES}.
    @ivar interface: our address, or L{None} for the side's.
    @ivar port: our port, or L{None} for any of the side's range.
    @ivar remote: where the party is, or L{None}: it comes to us.
    @ivar fingerprints: of the party's certificate.
    @ivar active: whether we begin the connection or the handshake.
    @ivar key: our SDES keys, as the value of a C{crypto} attribute.
    @ivar crypto: the party's.
    """

    scheme: str
    interface: str | None = None
    port: int | None = None
    remote: tuple[str, int] | None = None
    fingerprints: tuple[str, ...] = ()
    active: bool = False
    key: str | None = field(default=None, repr=False)
    crypto: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, name: str, text: str) -> "PipelineEnd":
        """
        Read C{scheme:key=value:key=value}.  A colon or a backslash in a value
        has a backslash before it.

        @param name: what errors call it.

        @raise ConfigError: it is wrong; the text does not have its keys.
        """
        scheme, *words = _split(text)
        if scheme not in SCHEMES:
            raise ConfigError(f"{name}: {scheme!r} is not one of {', '.join(SCHEMES)}")
        values: dict[str, list[str]] = {}
        for word in words:
            key, equals, value = word.partition("=")
            if not equals or key not in _KEYS:
                raise ConfigError(f"{name}: {key!r} is not one of {', '.join(sorted(_KEYS))} with a value")
            values.setdefault(key, []).append(value)
        for key, found in values.items():
            if len(found) > 1 and key != "fingerprint":
                raise ConfigError(f"{name}: {key} stands there twice")
        one = {key: found[0] for key, found in values.items()}
        remote = _address(name, one["to"]) if "to" in one else None
        setup = one.get("setup", "passive" if remote is None else "active")
        if setup not in ("active", "passive"):
            raise ConfigError(f"{name}: setup is neither active nor passive")
        interface = one.get("interface")
        if interface is not None and not _isAddress(interface):
            raise ConfigError(f"{name}: interface: {interface!r} is not an IP address")
        port = one.get("port")
        if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
            raise ConfigError(f"{name}: port: {port!r} is not a port")
        end = cls(
            scheme=scheme,
            interface=interface,
            port=None if port is None else int(port),
            remote=remote,
            fingerprints=tuple(values.get("fingerprint", ())),
            active=setup == "active",
            key=one.get("key"),
            crypto=one.get("crypto"),
        )
        end._check(name, "setup" in one)
        return end

    @property
    def kind(self) -> Scheme:
        """
        What it is.
        """
        return SCHEMES[self.scheme]

    @property
    def listens(self) -> bool:
        """
        Whether connections come to us.
        """
        return self.kind.stream and not self.active

    def section(self, came: tuple[str, int] | None = None) -> Section:
        """
        What the party would say of itself in an answer.

        @param came: where it has come from.
        """
        kind = self.kind
        lines = [Line("fingerprint", each) for each in self.fingerprints]
        if kind.stream or kind.secured:
            lines.append(Line("setup", "passive" if self.active else "active"))
        if self.crypto is not None:
            lines.append(Line("crypto", self.crypto))
        # Whoever comes to us is heard from wherever that is.
        nowhere = None if kind.stream else "0.0.0.0"
        host, port = came or self.remote or (nowhere, _DISCARD)
        return Section(kind.media, port, kind.proto, [kind.format], address=host, lines=lines)

    def _check(self, name: str, said: bool) -> None:
        kind = self.kind
        if self.active and self.remote is None:
            raise ConfigError(f"{name}: setup=active needs to=")
        if said and not (kind.stream or kind.secured):
            raise ConfigError(f"{name}: {self.scheme} has no setup")
        if self.fingerprints and not kind.secured:
            raise ConfigError(f"{name}: {self.scheme} has no fingerprint")
        if (self.key is None) != (self.crypto is None) or (self.key is None) != (self.scheme != "srtp"):
            raise ConfigError(f"{name}: srtp needs key= and crypto=, and nothing else has them")
        for each in self.fingerprints:
            try:
                Fingerprint.parse(each)
            except NegotiationError:
                raise ConfigError(f"{name}: fingerprint: {each!r} is none") from None
        for what, text in (("key", self.key), ("crypto", self.crypto)):
            try:
                if text is not None:
                    Crypto.parse(text)
            except NegotiationError:
                raise ConfigError(f"{name}: {what} is no value of a crypto attribute") from None


def _split(text: str) -> Iterator[str]:
    """
    The words between colons that have no backslash before them.
    """
    word, letters = "", iter(text)
    for letter in letters:
        if letter == "\\":
            word += next(letters, "\\")
        elif letter == ":":
            yield word
            word = ""
        else:
            word += letter
    yield word


def _isAddress(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(name: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not _isAddress(host) or not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{name}: to: {text!r} is not of the form address\\:port")
    return host, int(port)
