"""
The other side of an ICE agent's tests: a full agent's messages, written with
the codec's own integrity.
"""

from typing import Any

from aioice import stun
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.flow import Address
from e2aegw.sansio.ice import Agent, Event, Refused

A: Address = ("192.0.2.1", 5004)
B: Address = ("2001:db8::2", 5006)


class Peer:
    """
    A full agent's side of a check, with the codec's own integrity.
    """

    def __init__(self, agent: Agent, ufrag: str = "peer", pwd: str = "p" * 22) -> None:
        self.ufrag, self.pwd = ufrag, pwd
        self.remoteUfrag, self.remotePwd = agent.ufrag, agent.pwd

    def request(self, *, nominate: bool = False, pwd: str | None = None, **changes: Any) -> stun.Message:
        """
        A connectivity check, signed.

        @param changes: attributes to add, or with L{None} to leave out; a
            low line stands for a hyphen.
        """
        attributes: dict[str, Any] = {
            "USERNAME": f"{self.remoteUfrag}:{self.ufrag}",
            "PRIORITY": 1845501695,
            "ICE-CONTROLLING": 2**63 + 1,
        }
        if nominate:
            attributes["USE-CANDIDATE"] = None
        for name, value in changes.items():
            attributes.pop(name.replace("_", "-"), None)
            if value is not None:
                attributes[name.replace("_", "-")] = value
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes=attributes)
        message.add_message_integrity((self.remotePwd if pwd is None else pwd).encode())
        return message

    def check(self, **options: Any) -> bytes:
        """
        A connectivity check's octets.
        """
        return bytes(self.request(**options))

    def respond(self, request: bytes, *, code: int | None = None, pwd: str | None = None) -> bytes:
        """
        The answer to a consent check.
        """
        message = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, request[8:20], {"XOR-MAPPED-ADDRESS": ("192.0.2.9", 1)}
        )
        if code is not None:
            message.message_class, message.attributes = stun.Class.ERROR, {"ERROR-CODE": (code, "No")}
        message.add_message_integrity((self.pwd if pwd is None else pwd).encode())
        return bytes(message)


def unsigned(**attributes: Any) -> bytes:
    """
    A Binding request with a fingerprint and nothing else.
    """
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(12), attributes)
    message.add_fingerprint()
    return bytes(message)


def events(agent: Agent) -> list[Event]:
    """
    What the agent has to tell.
    """
    return list(iter(agent.nextEvent, None))


def seal(kind: int, raw: bytes, pwd: str, after: bytes = b"", transaction: bytes = b"transaction!") -> bytes:
    """
    A message of attributes that the codec does not write.

    @param after: attributes to put between integrity and fingerprint.
    """
    data = kind.to_bytes(2, "big") + b"\x00\x00\x21\x12\xa4\x42" + transaction + raw
    data += b"\x00\x08\x00\x14" + stun.message_integrity(data, pwd.encode()) + after
    data += b"\x80\x28\x00\x04" + stun.message_fingerprint(data).to_bytes(4, "big")
    return stun.set_body_length(data, len(data) - 20)


def attribute(kind: int, value: bytes) -> bytes:
    """
    One attribute.
    """
    return kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value + bytes(-len(value) % 4)


class AgentTestCase(SynchronousTestCase):
    """
    An agent and its peer.
    """

    def setUp(self) -> None:
        """
        Make both.
        """
        self.agent = Agent()
        self.peer = Peer(self.agent)

    def receive(self, data: bytes, component: int = 1, source: Address = A, now: float = 0.0) -> stun.Message:
        """
        Give the agent a datagram.

        @return: its only answer.
        """
        self.agent.receive(data, component, source, now)
        datagram = self.agent.nextDatagram()
        assert datagram is not None
        self.assertEqual(datagram[1:], (component, source))
        self.assertIsNone(self.agent.nextDatagram())
        message = stun.parse_message(datagram[0])
        self.assertEqual(message.transaction_id, data[8:20])
        self.assertIn("FINGERPRINT", message.attributes)
        return message

    def refused(self, data: bytes, code: int, *, signed: bool = False) -> stun.Message:
        """
        Assert that a request is answered with an error and changes nothing.
        """
        message = self.receive(data)
        self.assertEqual(message.message_class, stun.Class.ERROR)
        self.assertEqual(message.attributes["ERROR-CODE"][0], code)
        self.assertEqual(message.check_message_integrity(self.agent.pwd.encode()), signed)
        self.assertNotIn("USERNAME", message.attributes)
        self.assertEqual(events(self.agent), [Refused(1, A, code)])
        self.assertFalse(self.agent.isValid(1, A))
        self.assertIsNone(self.agent.selected(1))
        return message

    def dropped(self, data: bytes, reason: str, source: Address = A) -> None:
        """
        Assert that a datagram is dropped, answered by nothing, and changes
        nothing.
        """
        error = self.assertRaises(RemoteError, self.agent.receive, data, 1, source, 0.0)
        self.assertEqual(error.reason, reason)
        self.assertIsNone(self.agent.nextDatagram())
        self.assertEqual(events(self.agent), [])
