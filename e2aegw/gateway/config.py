"""
The configuration file, read and checked.

Whatever is wrong with it is one line that names the key.
"""

import errno
import math
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

from e2aegw.errors import ConfigError
from e2aegw.gateway.pipelineend import PipelineEnd
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import IN_BAND
from e2aegw.sansio.sdp import Side, family
from e2aegw.sansio.tls import Trust

#: What stands for the address that this machine uses towards the world.
AUTO = "auto"
#: Somewhere in the world, and nobody is there (RFC 5737).
_WORLD = ("198.51.100.1", 9)

_BROADCAST = ip_address("255.255.255.255")
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={}):
    """
    A table of the file.
    """


class SideTable(_Struct, frozen=True):
    """
    C{[side.access]} and C{[side.core]}.
    """

    address: str | list[str]
    ports: str
    advertise: str | list[str] = []
    names: list[str] = []
    authorities: str = ""
    identities: list[str] = []


class SidesTable(_Struct, frozen=True):
    """
    C{[side]}.
    """

    access: SideTable
    core: SideTable


class ControlTable(_Struct, frozen=True):
    """
    C{[control]}.
    """

    ng: str | list[str] = []
    delete_delay: float = 0.0


class RouteTable(_Struct, frozen=True):
    """
    C{[[route]]}.
    """

    access: str
    core: str
    through: list[str] = []


class PipelineTable(_Struct, frozen=True):
    """
    C{[[pipeline]]}.
    """

    name: str
    access: str
    core: str
    through: list[str] = []
    connections: int = 1000


class DTLSTable(_Struct, frozen=True):
    """
    C{[dtls]}.
    """

    certificate: str = ""
    key: str = ""
    rsa_certificate: str = ""
    rsa_key: str = ""


class LimitsTable(_Struct, frozen=True):
    """
    C{[limits]}.
    """

    calls: int = 10000
    media_timeout: float = 60.0
    silent_timeout: float = 3600.0
    offer_timeout: float = 3600.0
    drain_timeout: float = 0.0


class PolicyTable(_Struct, frozen=True):
    """
    C{[policy]}.
    """

    applied_in_answers: bool = True
    channels: list[str] = []
    consent: bool = False
    loss_tolerant: bool = True
    offload: bool = True


class EventsTable(_Struct, frozen=True):
    """
    C{[events]}.
    """

    udp: str = ""
    tcp: str = ""
    media_stopped: float = 10.0


class DemoTable(_Struct, frozen=True):
    """
    C{[demo]}.
    """

    http: str


class FileTable(_Struct, frozen=True):
    """
    The whole file.
    """

    side: SidesTable
    route: list[RouteTable] = []
    pipeline: list[PipelineTable] = []
    control: ControlTable = ControlTable()
    adapter: dict[str, dict[str, Any]] = {}
    filter: dict[str, dict[str, Any]] = {}
    dtls: DTLSTable = DTLSTable()
    limits: LimitsTable = LimitsTable()
    policy: PolicyTable = PolicyTable()
    events: EventsTable = EventsTable()
    demo: DemoTable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SideConfig:
    """
    One side.

    @ivar addresses: what to bind to, and what to say in descriptions.
    @ivar ports: the first and the last.
    @ivar names: what a controller may call this side.
    @ivar trust: whom to believe in TLS without a fingerprint.
    """

    addresses: tuple[tuple[str, str], ...]
    ports: tuple[int, int]
    names: tuple[str, ...] = ()
    trust: Trust | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    A checked configuration.

    @ivar sides: addresses and ports.
    @ivar routes: which adapters and filters belong together.
    @ivar pipelines: what is wired without a controller.
    @ivar options: for each adapter, its factory's keyword arguments.
    @ivar filterOptions: the same for each filter.
    @ivar ng: where to listen for controllers.
    @ivar deleteDelay: seconds that a deleted call lives on.
    @ivar identity: our certificate, or L{None} to make one.
    @ivar eventsOverUDP, eventsOverTCP: who is told of events, or L{None}.
    @ivar rsa: our certificate for terminals that have no other algorithm than
        RSA, or L{None} to make one.
    @ivar demo: where the demonstration page is, or L{None}.
    """

    sides: dict[Side, SideConfig]
    routes: tuple[RouteTable, ...]
    pipelines: tuple[PipelineTable, ...]
    options: dict[str, dict[str, Any]]
    filterOptions: dict[str, dict[str, Any]]
    ng: tuple[tuple[str, int], ...]
    deleteDelay: float
    identity: Identity | None
    rsa: Identity | None
    limits: LimitsTable
    policy: PolicyTable
    events: EventsTable
    eventsOverUDP: tuple[str, int] | None
    eventsOverTCP: tuple[str, int] | None
    demo: tuple[str, int] | None


def load(path: str | Path) -> Config:
    """
    Read a configuration file.

    @raise ConfigError: it cannot be read or used.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise ConfigError(f"{path}: {getattr(e, 'strerror', None) or e}") from None
    try:
        table = msgspec.toml.decode(text, type=FileTable)
    except msgspec.DecodeError as e:
        raise ConfigError(f"{path}: {_explain(str(e))}") from None
    try:
        return _check(table, Path(path).parent)
    except ConfigError as e:
        # The text may quote a value, and that anything.
        raise ConfigError(f"{path}: {' '.join(str(e).splitlines())}") from None


def checkFree(config: Config) -> None:
    """
    See that nobody else has the sockets that the configuration names.

    @raise ConfigError: somebody has.
    """
    wanted = [("control.ng", each, socket.SOCK_DGRAM) for each in config.ng]
    if config.demo is not None:
        wanted.append(("demo.http", config.demo, socket.SOCK_STREAM))
    for pipeline in config.pipelines:
        for side, end in zip((Side.ACCESS, Side.CORE), ends(pipeline), strict=True):
            if end.port is not None and (end.listens or not end.kind.stream):
                host = end.interface or config.sides[side].addresses[0][0]
                kind = socket.SOCK_STREAM if end.kind.stream else socket.SOCK_DGRAM
                wanted.append((f"pipeline.{pipeline.name}.{side.value}", (host, end.port), kind))
    for key, (host, port), kind in wanted:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # What a connection leaves behind when it ends is nobody's.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as e:
                raise ConfigError(f"{key}: {host} port {port}: {e.strerror}") from None


def _explain(message: str) -> str:
    """
    msgspec's message with the key in the file's own notation, C{side.access}
    and not C{$.side.access}.
    """
    return re.sub(r" - at `\$\.?([^`]*)`", lambda found: f" in {found[1] or 'the file'}", message)


def _check(table: FileTable, folder: Path) -> Config:
    sides = {
        Side.ACCESS: _side("access", table.side.access, folder),
        Side.CORE: _side("core", table.side.core, folder),
    }
    _checkOverlap(sides[Side.ACCESS], sides[Side.CORE])
    if not table.route and not table.pipeline:
        raise ConfigError("route: there is none")
    for each in table.pipeline:
        _checkPipeline(each, table)
    for name, value in (
        ("limits.calls", table.limits.calls),
        ("limits.media_timeout", table.limits.media_timeout),
        ("limits.silent_timeout", table.limits.silent_timeout),
        ("limits.offer_timeout", table.limits.offer_timeout),
        ("limits.drain_timeout", table.limits.drain_timeout),
        ("events.media_stopped", table.events.media_stopped),
        ("control.delete_delay", table.control.delete_delay),
    ):
        if not 0 <= value < math.inf:
            raise ConfigError(f"{name}: {value} is negative or not a number")
    for name in table.policy.channels:
        if name not in IN_BAND:
            raise ConfigError(f"policy.channels: {name} is not one of {', '.join(IN_BAND)}")
    used = {name for route in table.route for name in (route.access, route.core)}
    used |= {end.kind.adapter for each in table.pipeline for end in ends(each)}
    for name in table.adapter:
        if name not in used:
            raise ConfigError(f"adapter.{name}: no route uses it")
    seated = {name for route in table.route for name in route.through}
    seated |= {name for pipeline in table.pipeline for name in pipeline.through}
    for name in table.filter:
        if name not in seated:
            raise ConfigError(f"filter.{name}: no route goes through it")
    ng = [table.control.ng] if isinstance(table.control.ng, str) else table.control.ng
    return Config(
        sides=sides,
        routes=tuple(table.route),
        pipelines=tuple(table.pipeline),
        options=table.adapter,
        filterOptions=table.filter,
        ng=tuple(_endpoint("control.ng", each) for each in ng),
        deleteDelay=table.control.delete_delay,
        identity=_identity(table.dtls.certificate, table.dtls.key, folder),
        rsa=_rsa(table.dtls, folder),
        limits=table.limits,
        policy=table.policy,
        events=table.events,
        eventsOverUDP=_receiver("events.udp", table.events.udp),
        eventsOverTCP=_receiver("events.tcp", table.events.tcp),
        demo=None if table.demo is None else _endpoint("demo.http", table.demo.http),
    )


def wired(access: str, core: str) -> Config:
    """
    The configuration of a static pipeline and nothing else.

    @param access: see L{PipelineEnd.parse}.
    @param core: the same.

    @raise ConfigError: they are wrong, or do not go together.
    """
    sides = SidesTable(
        access=SideTable(address=AUTO, ports="30000-34999"), core=SideTable(address=AUTO, ports="35000-39999")
    )
    pipeline = PipelineTable(name="pipeline", access=access, core=core)
    return _check(FileTable(side=sides, pipeline=[pipeline]), Path())


def ends(table: PipelineTable) -> tuple[PipelineEnd, PipelineEnd]:
    """
    What a static pipeline is wired between.

    @raise ConfigError: an end is wrong.
    """
    prefix = f"pipeline.{table.name}"
    return PipelineEnd.parse(f"{prefix}.access", table.access), PipelineEnd.parse(
        f"{prefix}.core", table.core
    )


def _checkPipeline(table: PipelineTable, file: FileTable) -> None:
    prefix = f"pipeline.{table.name}"
    if [each.name for each in file.pipeline].count(table.name) > 1:
        raise ConfigError(f"{prefix}: there are two of that name")
    if table.connections < 1:
        raise ConfigError(f"{prefix}.connections: {table.connections} are none")
    access, core = ends(table)
    if access.kind.medium != core.kind.medium:
        raise ConfigError(f"{prefix}: {access.scheme} and {core.scheme} have nothing in common")
    if access.kind.stream and access.listens == core.listens:
        raise ConfigError(f"{prefix}: one end has to connect (to=), and the other has to wait")
    for name, end, side in (("access", access, file.side.access), ("core", core, file.side.core)):
        trusted = end.kind.stream and side.authorities
        if end.kind.secured and not end.fingerprints and not trusted:
            raise ConfigError(f"{prefix}.{name}: {end.scheme} needs fingerprint=")
        if end.listens and end.port is None:
            raise ConfigError(f"{prefix}.{name}: needs port=")
        if end.interface is not None:
            _checkOurs(f"{prefix}.{name}: interface", end.interface)


def _side(name: str, table: SideTable, folder: Path) -> SideConfig:
    given = [table.address] if isinstance(table.address, str) else table.address
    hosts = [outward() if host == AUTO else host for host in given]
    said = [table.advertise] if isinstance(table.advertise, str) else table.advertise
    if not hosts:
        raise ConfigError(f"side.{name}.address: there is none")
    hosts = [_numeric(f"side.{name}.address", host) for host in hosts]
    said = [_numeric(f"side.{name}.advertise", host) for host in said] or hosts
    for host in hosts:
        _checkOurs(f"side.{name}.address", host)
    families = [family(host) for host in hosts]
    if len(families) > len(set(families)):
        raise ConfigError(f"side.{name}.address: more than one of a family; one IPv4 and one IPv6 may be")
    if families != [family(host) for host in said]:
        raise ConfigError(
            f"side.{name}.advertise: needs an address for each of side.{name}.address, in order"
        )
    found = _RANGE.match(table.ports)
    if found is None:
        raise ConfigError(f'side.{name}.ports: "{table.ports}" is not of the form "first-last"')
    first, last = int(found[1]), int(found[2])
    if not 1024 <= first < last <= 65535:
        raise ConfigError(f"side.{name}.ports: {table.ports} is not within 1024-65535")
    if first + first % 2 >= last:
        raise ConfigError(f"side.{name}.ports: {table.ports} has no even port with the next")
    default = {"access": "external", "core": "internal"}[name]
    names = (name, *(table.names or [default]))
    addresses = tuple(zip(hosts, said, strict=True))
    trust = _trust(name, table, folder)
    return SideConfig(addresses=addresses, ports=(first, last), names=names, trust=trust)


def _checkOverlap(access: SideConfig, core: SideConfig) -> None:
    shared = {host for host, _ in access.addresses} & {host for host, _ in core.addresses}
    if shared and access.ports[0] <= core.ports[1] and core.ports[0] <= access.ports[1]:
        raise ConfigError(f"side.core.ports: overlap with side.access.ports on {sorted(shared)[0]}")
    both = set(access.names) & set(core.names)
    if both:
        raise ConfigError(f"side.access.names, side.core.names: {sorted(both)[0]} would name both sides")


def outward(world: tuple[str, int] = _WORLD) -> str:
    """
    The IPv4 address that this machine uses towards the world, or 127.0.0.1 if
    there is no way there.

    @param world: somebody out there.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # This asks for the route and sends nothing.
            probe.connect(world)
        except OSError:
            return "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host


def _numeric(key: str, host: str) -> str:
    """
    An address as a description may say it, in its one spelling.
    """
    try:
        address = ip_address(host)
    except ValueError:
        raise ConfigError(f"{key}: {host!r} is not an IP address") from None
    if address.is_unspecified:
        raise ConfigError(f"{key}: {host} stands for any address; a description needs one")
    if address.is_multicast or address == _BROADCAST:
        raise ConfigError(f"{key}: {host} is not the address of one machine")
    if getattr(address, "scope_id", None) is not None or getattr(address, "ipv4_mapped", None) is not None:
        raise ConfigError(f"{key}: {host} means something on this machine only")
    return str(address)


def _checkOurs(key: str, host: str) -> None:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as e:
        if e.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise ConfigError(f"{key}: {host} is not an address of this machine") from None
        raise ConfigError(f"{key}: {host}: {e.strerror}") from None


def _endpoint(key: str, text: str) -> tuple[str, int]:
    host, port = _address(key, text)
    _checkOurs(key, host)
    return host, port


def _receiver(key: str, text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, port = _address(key, text)
    if not port:
        raise ConfigError(f"{key}: nobody has port 0")
    return host, port


def _address(key: str, text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not _PORT.match(port) or int(port) > 65535:
        raise ConfigError(f'{key}: "{text}" is not of the form "address:port"')
    try:
        ip_address(host)
    except ValueError:
        raise ConfigError(f"{key}: {host!r} is not an IP address") from None
    return host, int(port)


def _trust(side: str, table: SideTable, folder: Path) -> Trust | None:
    if not table.authorities:
        if table.identities:
            raise ConfigError(f"side.{side}.identities: needs side.{side}.authorities")
        return None
    key = f"side.{side}.authorities"
    try:
        pem = (folder / table.authorities).read_bytes()
    except (OSError, ValueError) as e:
        raise ConfigError(f"{key}: {table.authorities}: {getattr(e, 'strerror', None) or e}") from None
    try:
        authorities = tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as e:
        raise ConfigError(f"{key}: no PEM certificates: {e}") from None
    return Trust(authorities, tuple(table.identities))


def _identity(certificate: str, privateKey: str, folder: Path, prefix: str = "") -> Identity | None:
    """
    A certificate and its key.

    @param prefix: what the keys of the file begin with.
    """
    if not certificate and not privateKey:
        return None
    if not certificate or not privateKey:
        raise ConfigError(f"dtls: {prefix}certificate and {prefix}key need each other")
    pem: list[bytes] = []
    for key, name in (("certificate", certificate), ("key", privateKey)):
        try:
            pem.append((folder / name).read_bytes())
        except (OSError, ValueError) as e:
            raise ConfigError(f"dtls.{prefix}{key}: {name}: {getattr(e, 'strerror', None) or e}") from None
    try:
        return Identity.fromPEM(pem[0], pem[1])
    except ConfigError as e:
        raise ConfigError(f"dtls.{prefix}certificate: {e}") from None


def _rsa(table: DTLSTable, folder: Path) -> Identity | None:
    found = _identity(table.rsa_certificate, table.rsa_key, folder, "rsa_")
    if found is not None and not found.isRSA:
        raise ConfigError("dtls.rsa_key: the key is not an RSA key")
    return found
