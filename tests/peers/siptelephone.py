"""
A SIP telephone that says what it is told to: for what no other telephone says.
"""

import re
import secrets
import socket

#: Longest wait for a message, in seconds.
TIMEOUT = 5.0


def header(message: str, name: str) -> str:
    """
    The value of a message's first header of that name.

    @raise AssertionError: there is none.
    """
    found = re.search(rf"(?im)^{name} *: *(.*?)\r$", message)
    if found is None:
        raise AssertionError(f"no {name} in\n{message}")
    return found[1]


def body(message: str) -> str:
    """
    What stands behind the headers.
    """
    return message.partition("\r\n\r\n")[2]


class SIPTelephone:
    """
    A user agent on UDP.  Everything happens when a method is called.

    @ivar uri: its address of record.
    @ivar request: the last INVITE that it was called with.
    """

    request = ""

    def __init__(
        self, proxyPort: int, user: str, proxy: str = "127.0.0.1", address: tuple[str, int] = ("127.0.0.1", 0)
    ) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(TIMEOUT)
        self._proxy = (proxy, proxyPort)
        self._host, self._port = self._socket.getsockname()
        self._transport = "UDP"
        self._user = user
        self.uri = f"sip:{user}@{proxy}:{proxyPort}"
        self.contact = f"sip:{user}@{self._host}:{self._port}"

    @property
    def port(self) -> int:
        """
        Where it sends from.
        """
        return int(self._port)

    def close(self) -> None:
        """
        Let go of the socket.
        """
        self._socket.close()

    def register(self, *headers: str) -> str:
        """
        Register.

        @return: the response.
        """
        self._send("REGISTER", f"sip:{self.uri.partition('@')[2]}", self.uri, headers=headers)
        return self._receive("SIP/2.0 200")

    def invite(self, uri: str, sdp: str, *headers: str) -> str:
        """
        Begin a call.

        @return: its Call-ID.
        """
        return self._send("INVITE", uri, uri, sdp, headers=headers)

    def called(self, sdp: str) -> str:
        """
        Wait for an INVITE and answer it.

        @return: the description in it.
        """
        offer = self.rung()
        self.accept(sdp)
        return offer

    def rung(self) -> str:
        """
        Wait for an INVITE.

        @return: the description in it.
        """
        self.request = self._receive("INVITE ")
        return body(self.request)

    def accept(self, sdp: str) -> None:
        """
        Answer it.
        """
        self._respond(self.request, sdp)

    def ring(self) -> None:
        """
        Say that it rings.
        """
        self._respond(self.request, status="180 Ringing")

    def refuse(self, sdp: str = "") -> None:
        """
        Refuse the last INVITE.

        @param sdp: what would have been acceptable.
        """
        self._respond(self.request, sdp, status="488 Not Acceptable Here")

    def cancelled(self) -> None:
        """
        Wait until nobody wants the last INVITE answered any more.
        """
        self._respond(self._receive("CANCEL "))
        self._respond(self.request, status="487 Request Terminated")

    def reinvite(self, sdp: str) -> None:
        """
        Offer something else in the call that was begun.
        """
        self._within("INVITE", 2, sdp)

    def subscribe(self, uri: str) -> None:
        """
        Ask to be told of something.
        """
        self._send("SUBSCRIBE", uri, uri, headers=["Event: conference", "Expires: 600"])

    def refused(self) -> str:
        """
        Wait for an INVITE to be refused.

        @return: the response's first line.
        """
        return self.refusal().partition("\r\n")[0]

    def refusal(self) -> str:
        """
        The same.

        @return: the response.
        """
        return self._receive("SIP/2.0 4")

    def acknowledged(self) -> str:
        """
        Wait for the ACK to an answer.

        @return: the description in it.
        """
        return body(self._receive("ACK "))

    def answered(self, sdp: str = "") -> str:
        """
        Wait for the answer to an INVITE and acknowledge it.

        @param sdp: the answer, if the INVITE had no description.

        @return: the description in it.
        """
        response = self._receive("SIP/2.0 200")
        target = re.findall("<(.*?)>", header(response, "Contact"))[0]
        route = re.findall(r"(?im)^Record-Route *: *(.*?)\r$", response)
        self._dialogue = (
            target,
            header(response, "To"),
            header(response, "Call-ID"),
            [f"Route: {each}" for each in reversed(route)],
        )
        self._within("ACK", 1, sdp)
        return body(response)

    def hangUp(self) -> None:
        """
        Ask for the end of the call that was begun.
        """
        self._within("BYE", 9)

    def over(self) -> None:
        """
        Wait until the other party agrees to the end.
        """
        self._receive("SIP/2.0 200")

    def hungUp(self) -> None:
        """
        Wait for the end of the call that was answered, and agree.
        """
        self._respond(self._receive("BYE "))

    def _within(self, method: str, number: int, sdp: str = "") -> None:
        target, to, callID, route = self._dialogue
        self._send(method, target, to, sdp, headers=route, callID=callID, number=number)

    def _send(
        self,
        method: str,
        uri: str,
        to: str,
        sdp: str = "",
        *,
        headers: "list[str] | tuple[str, ...]" = (),
        callID: str = "",
        number: int = 1,
    ) -> str:
        callID = callID or secrets.token_hex(8)
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self._transport} {self._host}:{self._port};branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: <{self.uri}>;tag={self._user}",
            f"To: {to if '<' in to else f'<{to}>'}",
            f"Call-ID: {callID}",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            f"Contact: <{self.contact}>",
            *headers,
            *(["Content-Type: application/sdp"] if sdp else []),
            f"Content-Length: {len(sdp)}",
        ]
        self._transmit("\r\n".join(lines) + "\r\n\r\n" + sdp)
        return callID

    def _respond(self, request: str, sdp: str = "", status: str = "200 OK") -> None:
        copied = re.findall(r"(?im)^((?:Via|Record-Route|From|Call-ID|CSeq) *:.*?)\r$", request)
        to = header(request, "To")
        lines = [
            f"SIP/2.0 {status}",
            *copied,
            f"To: {to}" + ("" if ";tag=" in to else f";tag={self._user}"),
            f"Contact: <{self.contact}>",
            *(["Content-Type: application/sdp"] if sdp else []),
            f"Content-Length: {len(sdp)}",
        ]
        self._transmit("\r\n".join(lines) + "\r\n\r\n" + sdp)

    def _transmit(self, message: str) -> None:
        self._socket.sendto(message.encode(), self._proxy)

    def _next(self) -> str:
        return self._socket.recv(65536).decode()

    def _receive(self, start: str) -> str:
        while True:
            message = self._next()
            if message.startswith(start):
                return message
            if re.match(r"SIP/2.0 [3-6]", message) and not start.startswith("SIP/2.0 4"):
                raise AssertionError(message)
