"""
MSRP URIs (RFC 4975 clause 6), and the paths that are made of them.

    >>> uri = URI.parse(b"msrp://host.example.com:8493/asfd34;tcp")
    >>> uri.host, uri.port, uri.sessionID, uri.transport
    ('host.example.com', 8493, 'asfd34', 'tcp')
    >>> uri.matches(URI.parse(b"MSRP://me@HOST.example.com:8493/asfd34;TCP"))
    True
"""

import re
import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import unquote

from e2aegw.errors import RemoteError

#: Longest URI that is read.  Session identifiers of relays hold encrypted
#: state and reach some hundreds of octets.
MAX_URI: Final = 2048
#: Most URIs in a path: the far end and the relays of both ends' domains, where
#: RFC 4976 has two each, and some more.
MAX_PATH: Final = 16
#: Octets of randomness in a session identifier; RFC 4975 clause 14.1 wants 10.
_SESSION_OCTETS: Final = 15

# msrp-scheme "://" authority ["/" session-id] ";" transport *( ";" parameter )
_URI: Final = re.compile(
    r"(?P<scheme>msrps?)://"
    r"(?:(?P<user>[^@/;\s]*)@)?"
    r"(?P<authority>[^@/;\s]+)"
    r"(?:/(?P<session>[A-Za-z0-9\-._~+=/]+))?"
    r";(?P<transport>[A-Za-z0-9]+)"
    r"(?P<parameters>(?:;[!-:<-~]+)*)\Z",
    re.IGNORECASE | re.ASCII,
)
_PORT: Final = re.compile(r"[0-9]{1,5}\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=%]+\Z")


@dataclass(frozen=True, slots=True)
class URI:
    """
    One MSRP URI.

    @ivar text: how it was spelled.
    @ivar host: a name, or an address without brackets.
    @ivar sessionID: C{""} if it identifies a device and no session.
    @ivar transport: C{"tcp"}, or C{"dc"} on a data channel (RFC 8873).
    """

    text: bytes
    scheme: str = field(compare=False)
    host: str = field(compare=False)
    port: int | None = field(compare=False)
    sessionID: str = field(compare=False)
    transport: str = field(compare=False)

    @classmethod
    def parse(cls, text: bytes) -> "URI":
        """
        Read a URI.

        @raise RemoteError: it is none.
        """
        if len(text) > MAX_URI:
            raise RemoteError("MSRP URI", "too long")
        try:
            match = _URI.match(text.decode("ascii"))
        except UnicodeDecodeError:
            match = None
        if match is None:
            raise RemoteError("MSRP URI", "not of the form msrp://host:port/session;transport")
        host, port = _authority(match["authority"])
        return cls(text, match["scheme"], host, port, match["session"] or "", match["transport"])

    @classmethod
    def make(cls, host: str, port: int, *, secure: bool, transport: str) -> "URI":
        """
        A URI for a new session of ours, which nobody can guess (RFC 4975
        clause 14.1).
        """
        return cls.write(
            host, port, secrets.token_urlsafe(_SESSION_OCTETS), secure=secure, transport=transport
        )

    @classmethod
    def write(cls, host: str, port: int, sessionID: str, *, secure: bool, transport: str) -> "URI":
        """
        A URI of these parts.
        """
        scheme = "msrps" if secure else "msrp"
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        text = f"{scheme}://{authority}/{sessionID};{transport}".encode("ascii", "replace")
        return cls(text, scheme, host, port, sessionID, transport)

    def __str__(self) -> str:
        return self.text.decode("ascii", "replace")

    def matches(self, other: "URI") -> bool:
        """
        Whether the two are equivalent (RFC 4975 clause 6.1).
        """
        return self.text == other.text or self._key() == other._key()

    def _key(self) -> tuple[object, ...]:
        return (
            self.scheme.lower(),
            _normalHost(self.host),
            self.port,
            self.sessionID,
            self.transport.lower(),
        )


def parsePath(value: bytes) -> tuple[URI, ...]:
    """
    Read the value of a C{path} attribute or of a C{To-Path} or C{From-Path}
    header: URIs with spaces between them.

    @raise RemoteError: it is none, or has more than L{MAX_PATH} URIs.
    """
    words = value.split(None, MAX_PATH)
    if not words:
        raise RemoteError("MSRP path", "empty")
    if len(words) > MAX_PATH:
        raise RemoteError("MSRP path", "too many URIs")
    return tuple(map(URI.parse, words))


def _authority(text: str) -> tuple[str, int | None]:
    """
    @raise RemoteError: this is not a host with or without a port.
    """
    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or colon not in ("", ":") or not _isIPv6(host):
            raise RemoteError("MSRP URI", "not an IPv6 address in brackets")
    elif ":" in host:
        # RFC 8873's examples leave the brackets out.  What comes last is the
        # port: beside a numeric address there has to be one (RFC 4975 clause 6).
        if not _isIPv6(host):
            raise RemoteError("MSRP URI", "not a host and a port")
    elif not colon:
        host = text
    if not colon:
        port = ""
    elif not _PORT.match(port) or int(port) > 65535:
        raise RemoteError("MSRP URI", "the port is not a number below 65536")
    if ":" not in host and not _NAME.match(host):
        raise RemoteError("MSRP URI", "not the name of a host")
    return host, int(port) if port else None


def _isIPv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False


def _normalHost(host: str) -> str:
    host = unquote(host, errors="replace").lower()
    try:
        return str(ip_address(host))
    except ValueError:
        return host
