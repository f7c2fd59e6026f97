"""
The C{twistd e2aegw} command.
"""

import gc
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.usage import Options as BaseOptions

from e2aegw.errors import ConfigError
from e2aegw.gateway.config import Config, checkFree, load, wired
from e2aegw.gateway.control import NGControl
from e2aegw.gateway.eventlines import EventLines
from e2aegw.gateway.service import Gateway

#: Objects made, and rounds of the younger generations, between two looks for
#: garbage.
GC_THRESHOLDS = (20000, 20, 50)


class Options(BaseOptions):
    """
    The command's options.
    """

    synopsis = "[--config FILE] | --access END --core END"
    longdesc = (
        "The access gateway of 3GPP TS 33.328: protected media at the edge, plain media inside. "
        "A SIP proxy drives it over rtpengine's ng protocol, and the configuration says where. "
        "What is wrong with that is said in one line, and the exit status is 1. "
        "SIGTERM ends it, and its calls as limits.drain_timeout says. "
        "With --access and --core it needs neither a configuration nor a controller: it is one pipeline "
        "between two ends, such as "
        "--access 'dtls-udptl:port=4000:fingerprint=sha-256 AB\\:CD...' --core 'udptl:to=192.0.2.9\\:4000'. "
        "Schemes: tcp, tls; udptl, dtls-udptl; rtp, srtp, dtls-srtp. "
        "Keys: port, interface, to, setup, fingerprint, key, crypto. "
        "Options of twistd itself, such as -n and --pidfile, come before the word e2aegw."
    )
    optParameters = [  # noqa: RUF012
        [
            "config",
            "c",
            "/etc/e2aegw/gateway.toml",
            "The configuration, a file in TOML; tap-configs/gateway.toml has every key.",
        ],
        ["access", None, None, "An end on the access side, of a pipeline without a controller."],
        ["core", None, None, "Its other end, on the core side."],
    ]

    def opt_version(self) -> None:
        """
        Print the version and exit.
        """
        from importlib.metadata import version

        print(f"e2aegw {version('e2aegw')}")
        raise SystemExit(0)

    def postOptions(self) -> None:
        """
        Read the configuration: what is wrong with it is to be said now, in one
        line.
        """
        try:
            if self["access"] is None and self["core"] is None:
                config = load(self["config"])
            elif self["access"] is None or self["core"] is None:
                raise ConfigError("--access and --core need each other")
            else:
                config = wired(self["access"], self["core"])
            checkFree(config)
            self.service = build(config)
        except ConfigError as e:
            # Not a UsageError: for that twistd prints a page about itself.
            raise SystemExit(f"e2aegw: {e}") from None


class InOrder(MultiService):
    """
    Services that are stopped one after the other, the last one first.
    """

    def __init__(self, *services: Service) -> None:
        MultiService.__init__(self)
        for each in services:
            MultiService.addService(self, each)

    def stopService(self) -> Any:
        """
        See C{IService}.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for service in reversed(list(self)):
            await maybeDeferred(service.stopService)


def build(config: Config) -> MultiService:
    """
    The gateway and what drives it.

    @raise ConfigError: something in the configuration cannot be used.
    """
    from twisted.internet import reactor

    services = MultiService()
    everything: MultiService = services
    gateway = Gateway.fromConfig(config, reactor)
    control = None
    if config.ng:
        names = {name: side for side, each in config.sides.items() for name in each.names}
        control = NGControl(
            reactor,
            gateway,
            config.ng,
            directions=names,
            deleteDelay=config.deleteDelay,
            drainTimeout=config.limits.drain_timeout,
        )
    if config.eventsOverUDP or config.eventsOverTCP:
        lines = EventLines(
            reactor,
            config.eventsOverUDP,
            config.eventsOverTCP,
            names=None if control is None else control.names,
        )
        gateway.addObserver(lines)
        # It hears of all ends, and calls may go on for a while.
        everything = InOrder(lines, services)
    services.addService(gateway)
    if control is not None:
        services.addService(control)
    if config.demo is not None:
        # Only who asks for the page pays for what it imports.
        from e2aegw.demo.service import DemoService

        services.addService(DemoService(reactor, gateway, config.demo))
    return everything


def makeService(options: Any) -> IService:
    """
    What C{twistd} runs.
    """
    # What is there by now stays, and a held call is a few hundred objects that
    # stay, too: with Python's own thresholds a third of the time of setting
    # calls up goes into looking for garbage among them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return IService(options.service)
