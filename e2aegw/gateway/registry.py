"""
From the names in a configuration to adapter factories.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from e2aegw.errors import ConfigError
from e2aegw.interfaces import IAdapterFactory

#: The entry point group.  Its name is the version of the plug-in API.
GROUP = "e2aegw.adapters"


def loadFactory(name: str, options: Mapping[str, Any]) -> Any:
    """
    Find, call and check what provides L{IAdapterFactory}.

    @param name: an entry point of the group, or C{"module:object"} for what
        is not installed.
    @param options: keyword arguments from the configuration.

    @raise ConfigError: there is no such adapter, or it cannot be used.  The
        text names it, and whose it is.
    """
    maker, owner = _find(name)
    try:
        factory = maker(**options)
    except ConfigError as e:
        raise ConfigError(f"adapter.{name}: {e}") from None
    except Exception as e:
        raise ConfigError(f"adapter.{name} ({owner}): {_explain(e)}") from e
    try:
        verifyObject(IAdapterFactory, factory)
    except Invalid as e:
        raise ConfigError(f"adapter.{name} ({owner}) is no adapter factory: {_oneLine(str(e))}") from None
    return factory


def _find(name: str) -> tuple[Any, str]:
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            return getattr(import_module(module), attribute), module
        except Exception as e:
            # Importing runs a stranger's code.
            raise ConfigError(f"adapter {name}: {_explain(e)}") from e
    # The same distribution may be found twice, installed and in development.
    found = {(_owner(point), point.value): point for point in entry_points(group=GROUP, name=name)}
    if not found:
        names = sorted({point.name for point in entry_points(group=GROUP)})
        raise ConfigError(f"there is no adapter {name}; there are {', '.join(names) or 'none at all'}")
    if len({owner for owner, _ in found}) > 1:
        owners = " and ".join(sorted(owner for owner, _ in found))
        raise ConfigError(f"the adapter {name} is provided by {owners}")
    point = next(iter(found.values()))
    try:
        return point.load(), _owner(point)
    except Exception as e:
        raise ConfigError(f"adapter {name} ({_owner(point)}) cannot be loaded: {_explain(e)}") from e


def _explain(error: Exception) -> str:
    """
    A stranger's error, in the one line that a wrong configuration gets.
    """
    return f"{type(error).__name__}: {_oneLine(str(error))}"


def _oneLine(text: str) -> str:
    return " ".join(text.split())


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "nobody"
