"""
From the names in a configuration to adapter and filter factories.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from e2aegw.errors import ConfigError
from e2aegw.interfaces import IAdapterFactory, IFilterFactory
from e2aegw.transport.kinds import KINDS


@dataclass(frozen=True, slots=True)
class _Kind:
    """
    What can be plugged in.

    @ivar word: what the configuration calls it.
    @ivar group: the entry point group.  Its name is the version of the API.
    @ivar interface: what its factories provide.
    """

    word: str
    group: str
    interface: Any


_ADAPTER = _Kind("adapter", "e2aegw.adapters", IAdapterFactory)
_FILTER = _Kind("filter", "e2aegw.filters", IFilterFactory)
#: The entry point groups.
GROUP, FILTER_GROUP = _ADAPTER.group, _FILTER.group


def loadFactory(name: str, options: Mapping[str, Any]) -> Any:
    """
    Find, call and check what provides L{IAdapterFactory}.

    @param name: an entry point of the group, or C{"module:object"} for what
        is not installed.
    @param options: keyword arguments from the configuration.

    @raise ConfigError: there is no such adapter, or it cannot be used.  The
        text names it, and whose it is.
    """
    return _load(_ADAPTER, name, options)


def loadFilter(name: str, options: Mapping[str, Any]) -> Any:
    """
    Find, call and check what provides L{IFilterFactory}.

    @param name: as for L{loadFactory}.
    @param options: keyword arguments from the configuration.

    @raise ConfigError: there is no such filter, or it cannot be used.
    """
    return _load(_FILTER, name, options)


def _load(kind: _Kind, name: str, options: Mapping[str, Any]) -> Any:
    maker, owner = _find(kind, name)
    try:
        factory = maker(**options)
    except ConfigError as e:
        raise ConfigError(f"{kind.word}.{name}: {e}") from None
    except (Exception, SystemExit) as e:
        raise ConfigError(f"{kind.word}.{name} ({owner}): {_explain(e)}") from e
    try:
        verifyObject(kind.interface, factory)
    except Invalid as e:
        raise ConfigError(
            f"{kind.word}.{name} ({owner}) is no {kind.word} factory: {_oneLine(str(e))}"
        ) from None
    if kind is _ADAPTER:
        _checkKinds(factory, f"{kind.word}.{name} ({owner})")
    return factory


def _checkKinds(factory: Any, whose: str) -> None:
    """
    @raise ConfigError: it wants a transport that there is not.
    """
    if not isinstance(factory.protos, Mapping):
        raise ConfigError(f"{whose}: protos is no mapping")
    for proto, kind in factory.protos.items():
        if kind not in KINDS:
            raise ConfigError(
                f"{whose}: there is no transport of the kind {kind!r} for {proto};"
                f" there are {', '.join(sorted(KINDS))}"
            )


def _find(kind: _Kind, name: str) -> tuple[Any, str]:
    word = kind.word
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            return getattr(import_module(module), attribute), module
        except (Exception, SystemExit) as e:
            # Importing runs a stranger's code, even scripts.
            raise ConfigError(f"{word} {name}: {_explain(e)}") from e
    # The same distribution may be found twice, installed and in development.
    found = {(_owner(point), point.value): point for point in entry_points(group=kind.group, name=name)}
    if not found:
        names = sorted({point.name for point in entry_points(group=kind.group)})
        raise ConfigError(f"there is no {word} {name}; there are {', '.join(names) or 'none at all'}")
    if len({owner for owner, _ in found}) > 1:
        owners = " and ".join(sorted(owner for owner, _ in found))
        raise ConfigError(f"the {word} {name} is provided by {owners}")
    point = next(iter(found.values()))
    try:
        return point.load(), _owner(point)
    except (Exception, SystemExit) as e:
        raise ConfigError(f"{word} {name} ({_owner(point)}) cannot be loaded: {_explain(e)}") from e


def _explain(error: BaseException) -> str:
    """
    A stranger's error, in the one line that a wrong configuration gets.
    """
    return f"{type(error).__name__}: {_oneLine(str(error))}"


def _oneLine(text: str) -> str:
    return " ".join(text.split())


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "nobody"
