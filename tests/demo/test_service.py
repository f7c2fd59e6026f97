"""
The demonstration as a service, on real ports.
"""

import io
import json
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from zope.interface import implementer

from e2aegw.demo.service import DemoService
from e2aegw.errors import ConfigError
from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.service import Gateway
from e2aegw.sansio.sdp import Side
from e2aegw.testing import MemoryNetwork
from tests.gateway.fixture import ROUTES
from tests.gateway.webrtc import Browser
from tests.peers.ports import freeRange


@implementer(ILogObserver)
class Log:
    """
    Remembers what was logged.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}.
        """
        self.lines.append(formatEvent(event))


class ServiceTests(TestCase):
    """
    The service over a gateway on this machine.
    """

    def setUp(self) -> None:
        """
        Start both.
        """
        first = freeRange(40)
        host = (("127.0.0.1", "127.0.0.1"),)
        self.gateway = Gateway(
            reactor,
            {
                Side.ACCESS: SideConfig(addresses=host, ports=(first, first + 19)),
                Side.CORE: SideConfig(addresses=host, ports=(first + 20, first + 39)),
            },
            ROUTES,
        )
        self.services = MultiService()
        self.services.addService(self.gateway)
        self.demo = DemoService(reactor, self.gateway, ("127.0.0.1", 0))
        self.services.addService(self.demo)
        self.log = Log()
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.stop()))
        self.services.startService()
        self.pool = HTTPConnectionPool(reactor)
        self.agent = Agent(reactor, pool=self.pool)

    async def stop(self) -> None:
        """
        Stop: nothing may be left.
        """
        if self.services.running:
            await self.services.stopService()
        await self.pool.closeCachedConnections()
        self.assertEqual(self.gateway.portsLent, 0)

    async def post(self, path: str, value: Any) -> Any:
        """
        Post JSON and get JSON.
        """
        response = await self.agent.request(
            b"POST",
            (self.demo.url + path).encode(),
            Headers({"Content-Type": ["application/json"]}),
            FileBodyProducer(io.BytesIO(json.dumps(value).encode())),
        )
        return json.loads(await readBody(response))

    async def test_address(self) -> None:
        """
        The log says where the page is, and it is there.
        """
        self.assertRegex(self.demo.url, r"^http://127\.0\.0\.1:\d+/$")
        self.assertIn(f"demo: {self.demo.url}", self.log.lines)
        response = await self.agent.request(b"GET", self.demo.url.encode())
        self.assertIn(b"<h1>", await readBody(response))

    async def test_call(self) -> None:
        """
        A call begins and ends, and takes its ports with it.
        """
        browser = Browser(MemoryNetwork(), "192.0.2.9")
        reply = await self.post("calls", {"sdp": browser.offer()})
        self.assertIn("a=candidate:", reply["answer"])
        self.assertIn("c=IN IP4 127.0.0.1", reply["exchange"]["answerIn"])
        self.assertEqual(self.gateway.portsLent, 2)
        await self.post(f"calls/{reply['call']}/end", None)
        self.assertEqual((self.gateway.portsLent, len(self.demo.calls)), (0, 0))

    async def test_stop(self) -> None:
        """
        When the service stops, calls are over and who watches is told why.
        """
        browser = Browser(MemoryNetwork(), "192.0.2.9")
        reply = await self.post("calls", {"sdp": browser.offer()})
        stream = await self.agent.request(b"GET", f"{self.demo.url}calls/{reply['call']}".encode())
        body = readBody(stream)
        await self.services.stopService()
        self.assertIn(b'"ended": "the gateway ends"', await body)
        self.assertEqual((self.gateway.portsLent, len(self.demo.calls)), (0, 0))

    def test_taken(self) -> None:
        """
        If the address is taken, that is said in terms of the configuration.
        """
        port = int(self.demo.url.rpartition(":")[2].strip("/"))
        second = DemoService(reactor, self.gateway, ("127.0.0.1", port))
        error = self.assertRaises(ConfigError, second.startService)
        self.assertIn(f"demo.http: cannot listen on 127.0.0.1 port {port}", str(error))
        second.stopService()

    async def test_ipv6(self) -> None:
        """
        The address may be of IPv6.
        """
        second = DemoService(reactor, self.gateway, ("::1", 0))
        second.startService()
        self.addCleanup(second.stopService)
        self.assertRegex(second.url, r"^http://\[::1\]:\d+/$")
        response = await self.agent.request(b"GET", second.url.encode())
        self.assertEqual(response.code, 200)
        await readBody(response)
