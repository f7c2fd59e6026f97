"""
An MSRP endpoint to test against, written from RFC 4975 and apart from the
gateway's own reader and writer: it waits for whole messages, and looks at them
with one regular expression.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

_MESSAGE = re.compile(
    rb"MSRP (?P<tid>\S+) (?P<what>[^\r\n]*)\r\n(?P<head>(?:[^\r\n]+\r\n)*?)"
    rb"(?:\r\n(?P<body>.*?)\r\n)?-------(?P=tid)(?P<flag>[$+#])\r\n",
    re.DOTALL,
)


@dataclass
class Heard:
    """
    A request or a response, as the endpoint heard it.
    """

    tid: bytes
    what: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    flag: bytes
    raw: bytes

    def __getitem__(self, name: str) -> str:
        """
        The value of a header.
        """
        for key, value in self.headers:
            if key.lower() == name.lower().encode():
                return value.decode()
        raise KeyError(name)

    def get(self, name: str, default: str = "") -> str:
        """
        The value of a header, if it is there.
        """
        return self[name] if any(k.lower() == name.lower().encode() for k, _ in self.headers) else default


@dataclass
class Endpoint:
    """
    One end of a session.

    @ivar uri: its own.
    @ivar path: the other end's, as its description says.
    @ivar send: puts bytes on the wire.
    @ivar answers: the code that it answers each SEND with; 0 is not at all.
    @ivar requests, responses: what it heard.
    @ivar messages: the bodies that it has put together, by Message-ID.
    @ivar complete: the Message-IDs of which it has all.
    """

    uri: str
    path: str = ""
    send: Callable[[bytes], None] = lambda data: None
    answers: int = 200
    reports: bool = True
    requests: list[Heard] = field(default_factory=list)
    responses: list[Heard] = field(default_factory=list)
    messages: dict[str, bytearray] = field(default_factory=dict)
    complete: list[str] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    wire: bytes = b""
    _count: int = 0

    def receive(self, data: bytes) -> None:
        """
        Some bytes from the wire.
        """
        self.wire += data
        while match := _MESSAGE.match(self.wire):
            self.wire = self.wire[match.end() :]
            lines = [line.partition(b": ") for line in match["head"].split(b"\r\n") if line]
            headers = [(name, value) for name, _, value in lines]
            heard = Heard(
                match["tid"],
                match["what"],
                headers,
                match["body"],
                match["flag"],
                match[0],
            )
            if heard.what[:3].isdigit():
                self.responses.append(heard)
            else:
                self.requests.append(heard)
                self.hear(heard)

    def hear(self, heard: Heard) -> None:
        """
        A request.
        """
        if heard.what != b"SEND":
            return
        code = self.answers
        if heard["To-Path"] != self.uri or heard["From-Path"] != self.path:
            code = 481
        failure = heard.get("Failure-Report", "yes")
        if code and failure != "no" and not (failure == "partial" and code == 200):
            self.respond(heard, code)
        if code != 200 or heard.body is None:
            return
        name = heard["Message-ID"]
        message = self.messages.setdefault(name, bytearray())
        start = int(heard.get("Byte-Range", "1-*/*").split("-")[0]) - 1
        message.extend(bytes(max(0, start + len(heard.body) - len(message))))
        message[start : start + len(heard.body)] = heard.body
        if heard.flag == b"#":
            self.aborted.append(name)
        elif heard.flag == b"$":
            self.complete.append(name)
            if self.reports and heard.get("Success-Report") == "yes":
                size = len(message)
                self.request(
                    "REPORT",
                    [f"Message-ID: {name}", f"Byte-Range: 1-{size}/{size}", "Status: 000 200 OK"],
                )

    def respond(self, heard: Heard, code: int) -> None:
        """
        Answer a request.
        """
        back = heard["From-Path"].split()[0]
        words = "OK" if code == 200 else "No"
        self.put(
            f"MSRP {heard.tid.decode()} {code} {words}\r\nTo-Path: {back}\r\n"
            f"From-Path: {self.uri}\r\n-------{heard.tid.decode()}$\r\n".encode()
        )

    def request(
        self,
        method: str,
        headers: list[str],
        body: bytes | None = None,
        flag: str = "$",
        *,
        to: str | None = None,
        sender: str | None = None,
    ) -> str:
        """
        Send a request.

        @return: its transaction.
        """
        self._count += 1
        tid = f"tid{self._count:05d}"
        head = [
            f"MSRP {tid} {method}",
            f"To-Path: {to or self.path}",
            f"From-Path: {sender or self.uri}",
            *headers,
        ]
        text = "".join(line + "\r\n" for line in head).encode()
        if body is not None:
            text += b"\r\n" + body + b"\r\n"
        self.put(text + f"-------{tid}{flag}\r\n".encode())
        return tid

    def say(self, body: bytes, name: str = "m1", *more: str, chunk: int = 0) -> list[str]:
        """
        Send a message, in chunks if that is wanted.

        @return: the transactions.
        """
        size, out, start = len(body), [], 0
        while True:
            piece = body[start : start + chunk] if chunk else body
            end = start + len(piece)
            headers = [
                f"Message-ID: {name}",
                f"Byte-Range: {start + 1}-{end}/{size}",
                *more,
                "Content-Type: application/octet-stream",
            ]
            out.append(self.request("SEND", headers, piece, "$" if end == size else "+"))
            start = end
            if start >= size:
                return out

    def begin(self) -> str:
        """
        What the active end begins with.
        """
        return self.request("SEND", ["Message-ID: begin", "Byte-Range: 1-0/0"])

    def put(self, data: bytes) -> None:
        """
        Put bytes on the wire.
        """
        self.sent.append(data)
        self.send(data)
