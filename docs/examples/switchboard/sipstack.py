"""
As much of SIP (RFC 3261) as two telephones in a laboratory need to call each
other through an application: a registrar, and calls of which the application is
the one end and the other end of each half (a B2BUA).

It speaks UDP, believes everybody, and repeats nothing but answers: it shows how
a stack is put around the gateway, and is none to put on a public network.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

Address = tuple[str, int]

#: Calls, and telephones, that are remembered; who asks for more gets 503.
MAX_CALLS = 100
MAX_CONTACTS = 1000

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
#: What a response repeats of its request (RFC 3261 clause 8.2.6.2).
_REPEATED = ("via", "from", "to", "call-id", "cseq")


class Refused(Exception):
    """
    Somebody said no.

    @ivar code: the status code.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """
    A request or a response.

    @ivar start: its first line.
    @ivar headers: names in lower case, and values.
    """

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """
        Read a datagram.

        @raise ValueError: it is no SIP.
        """
        head, _, body = data.decode("utf-8").partition("\r\n\r\n")
        start, *lines = head.replace("\r\n ", " ").split("\r\n")
        if "SIP/2.0" not in start or start.count(" ") < 2:
            raise ValueError("not SIP")
        headers = []
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError("a header without a colon")
            name = name.strip().lower()
            headers.append((_COMPACT.get(name, name), value.strip()))
        message = cls(start, tuple(headers), body)
        for name in _REPEATED:
            if not message.get(name):
                raise ValueError(f"an empty {name}")
        if any(len(message.get(name).split()) < 2 for name in ("via", "cseq")):
            raise ValueError("half a header")
        return message

    def __bytes__(self) -> bytes:
        body = self.body.encode()
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body

    def get(self, name: str) -> str:
        """
        The value of the first header of a name.

        @raise ValueError: there is none.
        """
        for each, value in self.headers:
            if each == name:
                return value
        raise ValueError(f"no {name}")

    @property
    def method(self) -> str:
        """
        A request's method, also of the request that a response is about.
        """
        return self.get("cseq").split()[-1]

    @property
    def code(self) -> int:
        """
        A response's status code, or 0.
        """
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def sdp(self) -> str:
        """
        The body.
        """
        return self.body


class Dialog:
    """
    One half of a call: what the stack says to one telephone.
    """

    def __init__(self, stack: "SIPStack", callID: str, local: str, remote: str, target: str) -> None:
        """
        @param local, remote: the values of From and To in our requests.
        @param target: the telephone's Contact, as a URI.
        """
        self.callID, self.local, self.remote, self.target = callID, local, remote, target
        self.sequence = 1
        self._stack = stack

    def request(self, method: str, body: str = "", branch: str = "") -> str:
        """
        Send a request.

        @return: its branch.
        """
        branch = branch or "z9hG4bK" + secrets.token_hex(8)
        headers = [
            ("via", f"SIP/2.0/UDP {self._stack.name};branch={branch};rport"),
            ("max-forwards", "70"),
            ("from", self.local),
            ("to", self.remote),
            ("call-id", self.callID),
            ("cseq", f"{self.sequence} {method}"),
            ("contact", f"<sip:{self._stack.name}>"),
        ]
        if body:
            headers.append(("content-type", "application/sdp"))
        message = Message(f"{method} {self.target} SIP/2.0", tuple(headers), body)
        self._stack.write(message, hostAndPort(self.target))
        return branch

    def bye(self) -> None:
        """
        End it.
        """
        self.sequence += 1
        self.request("BYE")


class Invite:
    """
    A call that a telephone wants to make.

    @ivar sdp: the offer.
    @ivar caller, called: the users' names.
    """

    def __init__(self, stack: "SIPStack", request: Message) -> None:
        self.callID = request.get("call-id")
        self.sdp = request.sdp
        self.caller, self.called = user(request.get("from")), user(request.start.split()[1])
        self.request = request
        self.tag = secrets.token_hex(4)
        self.final: Message | None = None
        self.near: Dialog | None = None
        self.far: Dialog | None = None
        self._branch = ""
        self._stack = stack
        self._ended: list[Deferred[None]] = []
        self._forwarding: Deferred[Message] | None = None

    def whenEnded(self) -> "Deferred[None]":
        """
        Fires when the call is over.
        """
        waiting: Deferred[None] = Deferred()
        self._ended.append(waiting)
        return waiting

    def forward(self, sdp: str) -> "Deferred[Message]":
        """
        Call the one who is to be called.

        @return: the answer; fails with L{Refused}.
        """
        self._forwarding = Deferred()
        contact = self._stack.contacts.get(self.called)
        if contact is None:
            self._forwarding.errback(Refused(404, "Not Found"))
            return self._forwarding
        name = f"sip:{self.caller}@{self._stack.name}"
        self.far = Dialog(
            self._stack,
            secrets.token_hex(12),
            f"<{name}>;tag={secrets.token_hex(4)}",
            f"<sip:{self.called}@{self._stack.name}>",
            contact,
        )
        self._stack.halves[self.far.callID] = self
        self._branch = self.far.request("INVITE", sdp)
        return self._forwarding

    def accept(self, sdp: str) -> None:
        """
        Tell the caller: 200 OK.
        """
        self.near = Dialog(
            self._stack,
            self.callID,
            f"{self.request.get('to')};tag={self.tag}",
            self.request.get("from"),
            uri(self.request.get("contact")),
        )
        self.answer(200, "OK", sdp)

    def reject(self, code: int, reason: str) -> None:
        """
        Tell the caller no.
        """
        self.answer(code, reason)
        self.end()

    def answer(self, code: int, reason: str, sdp: str = "") -> None:
        """
        Respond to the INVITE.
        """
        response = self._stack.respond(self.request, code, reason, self.tag, sdp)
        if code >= 200:
            self.final = response

    def responded(self, response: Message) -> None:
        """
        The telephone that is called said something.
        """
        assert self.far is not None
        if response.method != "INVITE" or response.code < 200:
            if response.method == "INVITE" and response.code == 180 and self.final is None:
                self.answer(180, "Ringing")
            return
        if response.code < 300:
            self.far.remote = response.get("to")
            self.far.target = uri(response.get("contact"))
        # The ACK of a refusal belongs to the INVITE's own transaction.
        self.far.request("ACK", branch=self._branch if response.code >= 300 else "")
        waiting, self._forwarding = self._forwarding, None
        if waiting is None:
            return
        if response.code < 300:
            waiting.callback(response)
        else:
            waiting.errback(Refused(response.code, response.start.split(" ", 2)[-1]))

    def hungUp(self, request: Message) -> None:
        """
        Somebody ends the call: so does the other.
        """
        other = self.far if request.get("call-id") == self.callID else self.near
        if other is not None:
            other.bye()
        self.end()

    def cancelled(self) -> None:
        """
        The caller does not want to wait any longer.
        """
        if self.final is None:
            if self.far is not None:
                self.far.request("CANCEL", branch=self._branch)
            self.reject(487, "Request Terminated")

    def end(self) -> None:
        """
        The call is over.
        """
        self._stack.forget(self)
        waiting, self._ended = self._ended, []
        for each in waiting:
            each.callback(None)


class SIPStack(DatagramProtocol):
    """
    The registrar, and where calls come in.

    @ivar name: our host and port.
    @ivar contacts: the telephones, by their users.
    @ivar halves: the calls, by the Call-ID of either half.
    """

    _log = Logger()

    def __init__(self, host: str, port: int) -> None:
        self.name = f"{host}:{port}"
        self.contacts: dict[str, str] = {}
        self.halves: dict[str, Invite] = {}
        self._handler: Callable[[Invite], Any] | None = None

    def onInvite(self, handler: Callable[[Invite], Any]) -> Callable[[Invite], Any]:
        """
        Have a coroutine function called with each new call.
        """
        self._handler = handler
        return handler

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        """
        Something came.
        """
        if not datagram.strip():
            return  # a keep-alive
        try:
            self._received(Message.parse(datagram), addr)
        except ValueError as e:
            self._log.info("dropped from {source}: {reason}", source=addr, reason=str(e))

    def write(self, message: Message, to: Address) -> None:
        """
        Send.
        """
        transport: Any = self.transport
        transport.write(bytes(message), to)

    def respond(self, request: Message, code: int, reason: str, tag: str = "", sdp: str = "") -> Message:
        """
        Answer a request.
        """
        headers = [each for each in request.headers if each[0] in _REPEATED]
        if tag and ";tag=" not in request.get("to"):
            headers = [(name, f"{value};tag={tag}" if name == "to" else value) for name, value in headers]
        headers.append(("contact", f"<sip:{self.name}>"))
        if sdp:
            headers.append(("content-type", "application/sdp"))
        response = Message(f"SIP/2.0 {code} {reason}", tuple(headers), sdp)
        self.write(response, _sentBy(request))
        return response

    def forget(self, invite: Invite) -> None:
        """
        A call is over.
        """
        for callID in [each for each, call in self.halves.items() if call is invite]:
            del self.halves[callID]

    def _received(self, message: Message, source: Address) -> None:
        call = self.halves.get(message.get("call-id"))
        if message.code:
            if call is not None:
                call.responded(message)
        elif message.method == "REGISTER":
            self._register(message, source)
        elif message.method == "INVITE":
            self._invite(message, call)
        elif message.method == "BYE":
            self.respond(message, 200 if call is not None else 481, "OK" if call is not None else "No Call")
            if call is not None:
                call.hungUp(message)
        elif message.method == "CANCEL":
            self.respond(message, 200, "OK")
            if call is not None:
                call.cancelled()
        elif message.method != "ACK":
            self.respond(message, 501, "Not Implemented")

    def _register(self, request: Message, source: Address) -> None:
        name = user(request.get("to"))
        if name not in self.contacts and len(self.contacts) >= MAX_CONTACTS:
            self.respond(request, 503, "Too Many Telephones")
            return
        # Where it is really reached.
        self.contacts[name] = f"sip:{name}@{source[0]}:{source[1]}"
        self.respond(request, 200, "OK", "registrar")

    def _invite(self, request: Message, call: Invite | None) -> None:
        if call is not None:
            if call.final is not None and request.get("cseq") == call.request.get("cseq"):
                self.write(call.final, _sentBy(request))  # ours was lost
            elif call.final is not None:
                self.respond(request, 488, "Not Acceptable Here")
            return
        if self._handler is None or len(self.halves) >= 2 * MAX_CALLS:
            self.respond(request, 503, "Service Unavailable", "busy")
            return
        request.get("contact")
        invite = self.halves[request.get("call-id")] = Invite(self, request)
        self.respond(request, 100, "Trying")

        def failed(failure: Any) -> None:
            refused = failure.check(Refused)
            if refused is None:
                self._log.failure("a call", failure)
            if invite.final is None:
                code = failure.value.code if refused is not None else 500
                invite.reject(code, failure.value.reason if refused is not None else "Server Internal Error")

        Deferred.fromCoroutine(self._handler(invite)).addErrback(failed)


def uri(value: str) -> str:
    """
    The URI in a header such as Contact.
    """
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.partition(";")[0]


def user(value: str) -> str:
    """
    The user in a header such as From, or in a URI.
    """
    return uri(value).partition(":")[2].partition("@")[0]


def hostAndPort(target: str) -> Address:
    """
    Where a URI leads.

    @raise ValueError: it names no address.
    """
    host, _, port = target.rpartition("@")[2].removeprefix("sip:").partition(";")[0].partition(":")
    return host, int(port or 5060)


def _sentBy(request: Message) -> Address:
    """
    Where a response goes (RFC 3581: to where the request came from, which on one
    machine is where its Via says).
    """
    host, _, port = request.get("via").split()[1].partition(";")[0].partition(":")
    return host, int(port or 5060)


__all__ = ["Dialog", "Invite", "Message", "Refused", "SIPStack"]
