"""
A UE of an IMS, as far as signalling goes: it registers with a challenge, over
UDP, TCP or TLS.
"""

import re
import socket
import ssl

from tests.peers.siptelephone import TIMEOUT, SIPTelephone, header


class IMSUE(SIPTelephone):
    """
    A UE that sends everything to its P-CSCF.

    @ivar challenge: the 401 of the last registration.
    @ivar response: the 200 of it.
    """

    def __init__(self, port: int, user: str, domain: str, transport: str = "UDP") -> None:
        """
        @param port: the P-CSCF's.
        @param domain: that of its home network.
        @param transport: C{"UDP"}, C{"TCP"} or C{"TLS"}.
        """
        super().__init__(port, user)
        self.uri = f"sip:{user}@{domain}"
        self._transport = transport
        self._read = b""
        if transport != "UDP":
            self._socket.close()
            self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
            self._port = self._socket.getsockname()[1]
            # Not where it listens: it is reached over the connection.
            self.contact = f"sip:{user}@127.0.0.1:9;transport=tcp"
        if transport == "TLS":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._socket = context.wrap_socket(self._socket)

    def register(self, *headers: str, expires: int = 600) -> str:
        """
        Register, once without an answer to a challenge, and once with one.

        @return: the response to the second.
        """
        domain = f"sip:{self.uri.partition('@')[2]}"
        lines = [*headers, f"Expires: {expires}"]
        callID = self._send("REGISTER", domain, self.uri, headers=lines)
        self.challenge = self._response("401")
        lines.append(f'Authorization: Digest username="{self._user}", realm="x", nonce="y", response="z"')
        self._send("REGISTER", domain, self.uri, headers=lines, callID=callID, number=2)
        self.response = self._response("200")
        return self.response

    def announced(self, response: str) -> list[str]:
        """
        The values of C{Security-Server} in a response.
        """
        return re.findall(r"(?im)^Security-Server *: *(.*?)\r$", response)

    def _response(self, status: str) -> str:
        while not (message := self._next()).startswith(f"SIP/2.0 {status}"):
            if re.match(r"SIP/2.0 [2-6]", message):
                raise AssertionError(message)
        return message

    def _transmit(self, message: str) -> None:
        if self._transport == "UDP":
            super()._transmit(message)
        else:
            self._socket.sendall(message.encode())

    def _next(self) -> str:
        if self._transport == "UDP":
            return super()._next()
        while b"\r\n\r\n" not in self._read.lstrip(b"\r\n"):
            self._more()
        self._read = self._read.lstrip(b"\r\n")
        length = self._read.index(b"\r\n\r\n") + 4
        length += int(header(self._read[:length].decode(), "Content-Length"))
        while len(self._read) < length:
            self._more()
        message, self._read = self._read[:length], self._read[length:]
        return message.decode()

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise AssertionError("the P-CSCF closed the connection")
        self._read += data
