"""
The demonstration's web site, without a socket.
"""

import io
import json
import re
from http.client import HTTPResponse, IncompleteRead
from importlib.resources import files
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from e2aegw.demo.calls import MAX_CALLS, PERIOD
from e2aegw.demo.site import MAX_BODY, DemoSite
from tests.demo.test_calls import CallsTestCase

HOST = "127.0.0.1:8080"


class Reply:
    """
    What the site answered.

    @ivar status: the status code.
    @ivar headers: the header fields.
    @ivar body: the rest, as far as it came.
    """

    def __init__(self, data: bytes) -> None:
        class Socket:
            def makefile(self, mode: str) -> io.BytesIO:
                return io.BytesIO(data)

        response = HTTPResponse(Socket())  # type: ignore[arg-type]
        response.begin()
        self.status = response.status
        self.headers = response.headers
        self.body = b""
        while response.fp is not None:
            try:
                part = response.read1(65536)
            except IncompleteRead:
                break  # The next chunk has not come.
            if not part:
                break
            self.body += part

    @property
    def json(self) -> Any:
        """
        The body, if it is JSON.
        """
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """
        The body, if it is a stream of events.
        """
        return [json.loads(data) for data in re.findall(rb"^data: (.*)\n\n", self.body, re.MULTILINE)]


class Connection:
    """
    A browser's connection.
    """

    def __init__(self, site: DemoSite) -> None:
        self.transport = StringTransport()
        self.channel: Any = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        self.channel.makeConnection(self.transport)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> None:
        """
        Send a request.
        """
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        self.channel.dataReceived("\r\n".join(lines).encode() + body)

    @property
    def reply(self) -> Reply:
        """
        What came so far.
        """
        return Reply(self.transport.value())

    def pause(self) -> None:
        """
        The browser does not read.
        """
        assert self.transport.producer is not None
        self.transport.producer.pauseProducing()

    def resume(self) -> None:
        """
        The browser reads again.
        """
        assert self.transport.producer is not None
        self.transport.producer.resumeProducing()

    def lose(self) -> None:
        """
        The browser is gone.
        """
        self.channel.connectionLost(Failure(ConnectionDone()))


class SiteTestCase(CallsTestCase):
    """
    The site over the calls of a gateway in memory.
    """

    def setUp(self) -> None:
        """
        Build the site.
        """
        super().setUp()
        self.site = DemoSite(self.clock, "127.0.0.1", self.calls)
        self.connections: list[Connection] = []

    def tearDown(self) -> None:
        """
        Everybody goes.
        """
        for connection in self.connections:
            connection.lose()
        super().tearDown()

    def connect(self) -> Connection:  # type: ignore[override]
        """
        Open a connection.
        """
        connection = Connection(self.site)
        self.connections.append(connection)
        return connection

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """
        A request and its reply.
        """
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        length = {"Content-Length": str(len(body))} if method == "POST" else {}
        connection.send(method, path, {"Host": HOST, **length, **named}, body)
        return connection.reply

    def offer(self, sdp: str | None = None) -> bytes:
        """
        What the page posts.
        """
        return json.dumps({"sdp": self.browser.offer() if sdp is None else sdp}).encode()

    def post(self, body: bytes, **headers: str) -> Reply:
        """
        Begin a call.
        """
        return self.ask("POST", "/calls", body, **{"Content_Type": "application/json", **headers})

    def watch(self, name: str) -> Connection:
        """
        Open a call's stream of events.
        """
        connection = self.connect()
        connection.send("GET", f"/calls/{name}", {"Host": HOST})
        return connection


class FileTests(SiteTestCase):
    """
    The page and what belongs to it.
    """

    def test_page(self) -> None:
        """
        The page is there, and the browser is told to trust nobody else.
        """
        reply = self.ask("GET", "/")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn(b'id="call"', reply.body)
        self.assertIn("default-src 'none'", reply.headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", reply.headers["Content-Security-Policy"])
        self.assertEqual(reply.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(reply.headers["Cache-Control"], "no-store")

    def test_closed(self) -> None:
        """
        Whatever the page and its parts refer to is on the site, with its type.
        """
        kinds = {
            "css": "text/css; charset=utf-8",
            "js": "text/javascript; charset=utf-8",
            "svg": "image/svg+xml",
        }
        wanted, seen = ["/"], set[str]()
        while wanted:
            path = wanted.pop()
            seen.add(path)
            reply = self.ask("GET", path)
            self.assertEqual(reply.status, 200, path)
            if path != "/":
                self.assertEqual(reply.headers["Content-Type"], kinds[path.rpartition(".")[2]], path)
            text = reply.body.decode()
            found = re.findall(r'(?:href|src)="([^"]*)"|from "([^"]*)"', text)
            names = {"/" + (a or b).removeprefix("./") for a, b in found}
            wanted += names - seen - set(wanted)
        self.assertEqual(
            seen - {"/"},
            {f"/{file.name}" for file in files("e2aegw.demo").iterdir() if file.name.endswith(tuple(kinds))},
        )

    def test_nothingFromOthers(self) -> None:
        """
        No file names another site, a font or a script of others.
        """
        for file in files("e2aegw.demo").iterdir():
            if file.name.endswith((".html", ".css", ".js", ".svg")):
                text = file.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
                self.assertIsNone(re.search(r"https?://|@import|url\((?!#)", text), file.name)

    def test_nothingElse(self) -> None:
        """
        Everything else is not there, the package's modules above all.
        """
        for path in ("/site.py", "/page.html", "/../calls.py", "/%2e%2e/calls.py", "/calls/none", "/x/y/z"):
            self.assertEqual(self.ask("GET", path).status, 404, path)

    def test_methods(self) -> None:
        """
        Files are got; calls are posted.
        """
        self.assertEqual(self.ask("POST", "/").status, 405)
        self.assertEqual(self.ask("GET", "/calls").status, 405)
        self.assertEqual(self.ask("HEAD", "/").status, 200)


class RefusalTests(SiteTestCase):
    """
    What does not become a call, and why.
    """

    def tearDown(self) -> None:
        """
        None of it did.
        """
        self.assertEqual(len(self.calls), 0)
        super().tearDown()

    def assertRefused(self, reply: Reply, status: int, text: str) -> None:
        """
        It was refused with a reason for people.
        """
        self.assertEqual(reply.status, status, reply.body)
        self.assertIn(text, reply.json["error"])

    def test_otherNames(self) -> None:
        """
        A name that is not this machine's is none of ours, so that a page of
        others cannot be of the same origin.
        """
        for host in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "[::1", ""):
            self.assertRefused(self.ask("GET", "/", Host=host), 421, "address")
        for host in ("localhost:8080", "127.0.0.1", "127.0.0.1:9999", "LOCALHOST"):
            self.assertEqual(self.ask("GET", "/", Host=host).status, 200, host)

    def test_otherPages(self) -> None:
        """
        Pages of others may not call.
        """
        for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "https://evil.example:8080"):
            self.assertRefused(self.post(self.offer(), Origin=origin), 403, "Another page")

    def test_form(self) -> None:
        """
        What a form could send is no offer.
        """
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            self.assertRefused(self.post(self.offer(), Content_Type=kind), 415, "application/json")

    def test_noOffer(self) -> None:
        """
        What is not of the right form is no offer.
        """
        for body in (b"", b"{", b"[]", b'{"sdp": 1}', b"{}", b"\xff", b'{"sdp": "\xff"}', b"[" * 50000):
            self.assertRefused(self.post(body), 400, "no offer")

    def test_tooLong(self) -> None:
        """
        What is too long is not kept, however it comes.
        """
        body = self.offer("x" * MAX_BODY)
        self.assertRefused(self.post(body), 413, "octets")
        connection = self.connect()
        headers = {"Host": HOST, "Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        connection.send("POST", "/calls", headers)
        (request,) = connection.channel._channel.requests
        for _ in range(8):
            connection.channel.dataReceived(b"10000\r\n" + b" " * 65536 + b"\r\n")
            self.assertLessEqual(request.content.tell(), MAX_BODY + 1)
        connection.channel.dataReceived(b"0\r\n\r\n")
        self.assertRefused(connection.reply, 413, "octets")

    def test_badDescription(self) -> None:
        """
        What the gateway does not understand is refused with its reason.
        """
        self.assertRefused(self.post(self.offer("nonsense")), 422, "v=0")

    def test_mistake(self) -> None:
        """
        A mistake of ours is logged, and the page hears that there was one.
        """

        def newSession(label: str) -> Any:
            raise RuntimeError("a mistake")

        self.patch(self.gateway, "newSession", newSession)
        self.assertRefused(self.post(self.offer()), 500, "mistake")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class CallTests(SiteTestCase):
    """
    What becomes a call.
    """

    def test_begin(self) -> None:
        """
        The page gets a name, an answer, and what was said.
        """
        reply = self.post(self.offer(), Origin=f"http://{HOST}")
        self.assertEqual(reply.status, 201)
        call = self.calls.find(reply.json["call"])
        assert call is not None and call.exchange is not None
        self.assertEqual(reply.json["answer"], call.exchange.answerOut)
        self.assertEqual(reply.json["exchange"], call.exchange.masked())
        self.assertIn("ICE=remove", reply.json["flags"]["offer"])
        self.assertIn("ICE=force", reply.json["flags"]["answer"])

    def test_tooMany(self) -> None:
        """
        One call too many is refused.
        """
        replies = [self.post(self.offer()) for _ in range(MAX_CALLS + 1)]
        self.assertEqual([reply.status for reply in replies], [201] * MAX_CALLS + [503])
        self.assertIn("hang up", replies[-1].json["error"])

    def test_events(self) -> None:
        """
        The stream tells how the call stands, now and again, and at the end.
        """
        name = self.post(self.offer()).json["call"]
        stream = self.watch(name)
        self.assertEqual(stream.reply.headers["Content-Type"], "text/event-stream")
        self.clock.advance(PERIOD)
        self.clock.advance(PERIOD)
        self.assertEqual([event["ended"] for event in stream.reply.events], [None] * 3)
        reply = self.ask("POST", f"/calls/{name}/end")
        self.assertEqual((reply.status, reply.json), (200, {"ended": "the page hung up"}))
        self.assertEqual([event["ended"] for event in stream.reply.events], [None] * 3 + ["the page hung up"])
        self.assertEqual(self.ask("GET", f"/calls/{name}").status, 404)
        self.assertEqual(self.ask("POST", f"/calls/{name}/end").status, 404)

    def test_slowReader(self) -> None:
        """
        Who does not read gets no more, and then the newest.
        """
        stream = self.watch(self.post(self.offer()).json["call"])
        stream.pause()
        for _ in range(5):
            self.clock.advance(PERIOD)
        self.assertEqual(len(stream.reply.events), 1)
        stream.resume()
        self.clock.advance(PERIOD)
        self.assertEqual([event["seconds"] for event in stream.reply.events], [0, 6 * PERIOD])

    def test_slowReaderHearsTheEnd(self) -> None:
        """
        The end is told to who does not read, too.
        """
        name = self.post(self.offer()).json["call"]
        stream = self.watch(name)
        stream.pause()
        self.ask("POST", f"/calls/{name}/end")
        self.assertEqual(stream.reply.events[-1]["ended"], "the page hung up")

    def test_pageGoes(self) -> None:
        """
        When the stream breaks and nobody comes back, the call ends.
        """
        name = self.post(self.offer()).json["call"]
        stream = self.watch(name)
        self.network.advance(20)
        self.assertIsNotNone(self.calls.find(name))
        stream.lose()
        self.connections.remove(stream)
        self.network.advance(20)
        self.assertIsNone(self.calls.find(name))

    def test_pageGoesEarly(self) -> None:
        """
        When the page is gone before the call has begun, the call ends at once.
        """
        session = self.gateway.newSession("slow")
        offer, later = session.offer, Deferred[None]()

        async def slowly(*arguments: Any) -> str:
            await later
            return await offer(*arguments)

        self.patch(session, "offer", lambda *arguments: Deferred.fromCoroutine(slowly(*arguments)))
        self.patch(self.gateway, "newSession", lambda label: session)
        connection = self.connect()
        body = self.offer()
        headers = {"Host": HOST, "Content-Type": "application/json", "Content-Length": str(len(body))}
        connection.send("POST", "/calls", headers, body)
        self.assertEqual(len(self.calls), 1)
        connection.lose()
        self.connections.remove(connection)
        later.callback(None)
        self.assertEqual(len(self.calls), 0)
        self.assertTrue(session.closed)
