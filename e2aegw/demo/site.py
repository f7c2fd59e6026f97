"""
The demonstration's web site: the page, and what the page asks for.

  - C{POST /calls} with C{{"sdp": offer}} begins a call;
  - C{GET /calls/NAME} is a stream of server-sent events, each of which says how
    the call stands;
  - C{POST /calls/NAME/end} ends it.
"""

import json
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from e2aegw.demo.calls import Call, Calls
from e2aegw.errors import GatewayError, ResourceError
from e2aegw.sansio.sdp import MAX_DESCRIPTION

#: Most octets of a request's body: the longest description, with room for
#: JSON's quoting.
MAX_BODY = 2 * MAX_DESCRIPTION
#: Seconds after which a silent connection is closed.
SILENCE = 60.0
#: Milliseconds after which a browser comes back whose stream of events broke.
RETRY = 1000

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

#: The page fetches nothing from anybody else, and nobody puts it in a frame.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _Offer(msgspec.Struct):
    """
    What the page posts.
    """

    sdp: str


def _reply(request: Request, code: int, value: dict[str, Any]) -> bytes:
    request.setResponseCode(code)
    request.setHeader("Content-Type", "application/json")
    return json.dumps(value).encode()


class _Failing(Resource):
    """
    A resource that only says what is wrong.
    """

    isLeaf = True

    def __init__(self, code: int, error: str) -> None:
        Resource.__init__(self)
        self._code = code
        self._error = error

    def render(self, request: Request) -> bytes:
        """
        See L{Resource}.
        """
        return _reply(request, self._code, {"error": self._error})


class _File(Resource):
    """
    A file of the package.
    """

    isLeaf = True

    def __init__(self, kind: str, content: bytes) -> None:
        Resource.__init__(self)
        self._kind = kind
        self._content = content

    def render_GET(self, request: Request) -> bytes:
        """
        See L{Resource}.
        """
        request.setHeader("Content-Type", self._kind)
        return self._content


@implementer(IPushProducer)
class _Stream:
    """
    A call, told to one page as server-sent events.

    Each report is whole, so if the page does not keep up, those that it has no
    time for are left out.
    """

    def __init__(self, request: Request, call: Call) -> None:
        self._request = request
        self._call = call
        self._paused = False
        request.setHeader("Content-Type", "text/event-stream")
        request.notifyFinish().addBoth(self._gone)
        request.registerProducer(self, True)
        request.write(b"retry: %d\n\n" % RETRY)
        call.watch(self.tell)

    def tell(self, report: dict[str, Any]) -> None:
        """
        Send a report; the last of all whatever happens.
        """
        if self._paused and report["ended"] is None:
            return
        self._request.write(b"data: " + json.dumps(report).encode() + b"\n\n")
        if report["ended"] is not None:
            self._request.unregisterProducer()
            self._request.finish()

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        self._paused = False

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        self._call.unwatch(self.tell)

    def _gone(self, reason: object) -> None:
        self._call.unwatch(self.tell)


class _CallResource(Resource):
    """
    One call.
    """

    def __init__(self, call: Call) -> None:
        Resource.__init__(self)
        self._call = call
        self.putChild(b"end", _End(call))

    def render_GET(self, request: Request) -> int:
        """
        See L{Resource}.
        """
        _Stream(request, self._call)
        return NOT_DONE_YET


class _End(Resource):
    """
    The way to hang up.
    """

    isLeaf = True

    def __init__(self, call: Call) -> None:
        Resource.__init__(self)
        self._call = call

    def render_POST(self, request: Request) -> bytes:
        """
        See L{Resource}.
        """
        self._call.end("the page hung up")
        return _reply(request, 200, {"ended": self._call.ended})


class _CallsResource(Resource):
    """
    All calls.
    """

    _log = Logger()

    def __init__(self, calls: Calls) -> None:
        Resource.__init__(self)
        self._calls = calls

    def getChild(self, path: bytes, request: Request) -> Resource:
        """
        See L{Resource}.
        """
        call = self._calls.find(path.decode("ascii", "replace"))
        return _Failing(404, "There is no such call any more.") if call is None else _CallResource(call)

    def render_POST(self, request: Request) -> Any:
        """
        See L{Resource}.
        """
        # Browsers let pages of others send forms here, but no JSON.
        kind = request.getHeader("Content-Type") or ""
        if kind.partition(";")[0].strip().lower() != "application/json":
            return _reply(request, 415, {"error": "An offer comes as application/json."})
        assert request.content is not None
        body = request.content.read()
        if len(body) > MAX_BODY:
            return _reply(request, 413, {"error": f"An offer of more than {MAX_BODY} octets is none."})
        try:
            offer = msgspec.json.decode(body, type=_Offer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _reply(request, 400, {"error": "This is no offer."})
        Deferred.fromCoroutine(self._begin(request, offer.sdp)).addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _begin(self, request: Request, sdp: str) -> None:
        gone: list[object] = []
        request.notifyFinish().addBoth(gone.append)
        call: Call | None = None
        try:
            call = await self._calls.begin(sdp)
        except ResourceError as e:
            reply = _reply(request, 503, {"error": str(e)})
        except GatewayError as e:
            reply = _reply(request, 422, {"error": str(e)})
        else:
            assert call.exchange is not None
            value = {
                "call": call.name,
                "answer": call.exchange.answerOut,
                "exchange": call.exchange.masked(),
                "flags": dict(zip(("offer", "answer"), call.flags, strict=True)),
            }
            reply = _reply(request, 201, value)
        if not gone:
            request.write(reply)
            request.finish()
        elif call is not None:
            call.end("the page is gone")

    def _failed(self, failure: Failure, request: Request) -> None:
        self._log.failure("beginning a call", failure)
        request.write(_reply(request, 500, {"error": "The gateway made a mistake; its log says more."}))
        request.finish()


class _Root(Resource):
    """
    What there is.
    """

    def __init__(self, host: str, calls: Calls) -> None:
        Resource.__init__(self)
        self._hosts = {host} | ({"localhost"} if host in ("127.0.0.1", "::1") else set())
        for file in files("e2aegw.demo").iterdir():
            kind = _TYPES.get("." + file.name.rpartition(".")[2])
            if kind is not None:
                name = "" if file.name == "page.html" else file.name
                self.putChild(name.encode(), _File(kind, file.read_bytes()))
        self.putChild(b"calls", _CallsResource(calls))

    def getChildWithDefault(self, path: bytes, request: Request) -> Resource:
        """
        See L{Resource}.  All requests pass here.
        """
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        # A name that somebody else made point here is not ours: their page
        # would be of the same origin as this one.
        if _hostname(f"//{request.getHeader('Host') or ''}") not in self._hosts:
            return _Failing(421, "This is not the address of the demonstration.")
        origin = request.getHeader("Origin")
        if origin is not None and origin.partition("://")[2] != request.getHeader("Host"):
            return _Failing(403, "Another page asked for this.")
        child = Resource.getChildWithDefault(self, path, request)
        assert isinstance(child, Resource)
        return child

    def getChild(self, path: bytes, request: Request) -> Resource:
        """
        See L{Resource}.
        """
        return _Failing(404, "There is nothing here.")


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class _Request(Request):
    """
    A request of which no more is kept than is allowed.
    """

    def handleContentChunk(self, data: bytes) -> None:
        """
        See L{Request}.
        """
        assert self.content is not None
        Request.handleContentChunk(self, data[: max(0, MAX_BODY + 1 - self.content.tell())])


class DemoSite(Site):
    """
    The web site.
    """

    noisy = False

    def __init__(self, reactor: Any, host: str, calls: Calls) -> None:
        """
        @param reactor: provides C{IReactorTime}.
        @param host: the address that it is at.
        """
        Site.__init__(
            self,
            _Root(host, calls),
            _Request,
            timeout=SILENCE,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )

    def log(self, request: Any) -> None:
        """
        Keep the log for what happens in calls.
        """


__all__ = ["MAX_BODY", "DemoSite"]
