"""
An ICE-lite agent (RFC 8445), with consent checks (RFC 7675).

The law:

  - The remote party checks, and we answer.  A lite agent sends no connectivity
    checks, so a pair is valid once a request that has the right username and
    integrity came over it, and it is selected once such a request had
    USE-CANDIDATE (clause 7.3.2).  The latest nomination wins.
  - We are always controlled.  Who claims to be controlled as well is told of a
    role conflict (487) and becomes controlling (clause 7.2.5.1): as if we took
    part in clause 7.3.1.1 with the lowest tiebreaker there is.  If the remote
    party is lite as well, it sends no requests, so nothing ever becomes valid
    here: clause 8.2 then takes the pair from the descriptions, and whoever
    drives this agent does that.
  - Nothing is learned from what is not authentic, and nothing is learned from
    one transaction twice: a captured request that is played again from another
    address moves nothing.
  - Everything that a stranger can make us keep or send is bounded.

    >>> agent = Agent()
    >>> agent.receive(request, 1, ("198.51.100.7", 5004), now)
    >>> while datagram := agent.nextDatagram():
    ...     send(*datagram)
    >>> while event := agent.nextEvent():
    ...     print(event)
"""

import base64
import re
import secrets
import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from aioice import stun

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.sansio.binding import UsualRequest, parseUsual, response, seal
from e2aegw.sansio.candidates import LOCAL_PREFERENCE
from e2aegw.sansio.flow import Address

#: Longest message that is read.  RFC 8489 clause 6.1 keeps them below the
#: path's MTU, and no MTU of a datagram that reaches us unfragmented is larger.
MAX_MESSAGE = 1500
#: Longest username that is read: RFC 8489 clause 14.3 says fewer than 509
#: octets, and RFC 8839 clause 5.4 allows twice 256 characters and a colon.
MAX_USERNAME = 513
#: Most remote addresses that are remembered as valid, of each component.  A
#: browser on a machine with many interfaces has about twenty.
MAX_VALID = 32
#: Most transactions that are remembered, to know a request that is repeated.
#: RFC 8489 clause 6.3.1 speaks of 40 seconds; browsers check each 2.5 seconds.
MAX_TRANSACTIONS = 32
#: Most datagrams, and most events, that wait to be fetched.  They are fetched
#: after each call; more than one or two means that somebody does not.
MAX_QUEUE = 64
#: Most strangers' requests that are answered with an error, in a second.  The
#: errors go to addresses that nobody has vouched for and may be longer than
#: what provokes them; a remote party in good faith gets a handful.
MAX_REFUSALS = 20
#: Seconds between consent checks, at least and at most: RFC 7675 clause 5.1
#: takes 5 seconds times 0.8 to 1.2.
CONSENT_INTERVAL = (4.0, 6.0)
#: Seconds after the last valid response at which consent ends (RFC 7675
#: clause 5.1).
CONSENT_EXPIRY = 30.0

#: RFC 8839 clause 5.4.
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/]{22,256}")

_HEADER = struct.Struct("!HHI")
_ATTRIBUTE = struct.Struct("!HH")
_INTEGRITY = 0x0008
_UNKNOWN_ATTRIBUTES = 0x000A

#: The comprehension-required attributes that may stand in a Binding request
#: (RFC 8489 clause 18.3, RFC 8445 clause 16.1).  Those that only responses
#: have are ignored, as clause 15 of RFC 8489 has it.
_UNDERSTOOD = frozenset({0x0001, 0x0006, 0x0009, 0x000A, 0x0014, 0x0015, 0x0020, 0x0024, 0x0025})

#: RFC 8445 clause 5.1.2.2: a pair that we check has a peer-reflexive priority.
_REFLEXIVE_PREFERENCE = 110

_REASONS = {
    400: "Bad Request",
    401: "Unauthenticated",
    420: "Unknown Attribute",
    487: "Role Conflict",
}


@dataclass(frozen=True, slots=True)
class Valid:
    """
    An authenticated request came from an address that none came from before.
    """

    component: int
    remote: Address


@dataclass(frozen=True, slots=True)
class Nominated:
    """
    The remote party chose where a component's packets go (RFC 8445 clause
    7.3.2).
    """

    component: int
    remote: Address


@dataclass(frozen=True, slots=True)
class ConsentLost:
    """
    Nothing may be sent any more to the address that was selected (RFC 7675
    clause 5).

    @ivar reason: C{"expired"} or C{"revoked"}.
    """

    component: int
    remote: Address
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """
    A request was answered with an error.

    @ivar code: the error's code: 400, 401, 420 or 487.
    """

    component: int
    remote: Address
    code: int


Event: TypeAlias = Valid | Nominated | ConsentLost | Refused


@dataclass(slots=True)
class _Credentials:
    ufrag: str
    pwd: str = field(repr=False)


class _Generation:
    """
    What belongs to one pair of local credentials: from one ICE restart to the
    next.
    """

    __slots__ = ("local", "lost", "remote", "replaced")

    def __init__(self) -> None:
        # RFC 8445 clause 5.3 wants 24 and 128 random bits; these are 48 and
        # 144, and the alphabet of base64 is that of ice-char.
        letters = _random(24)
        self.local = _Credentials(letters[:8], letters[8:])
        self.remote: _Credentials | None = None
        self.replaced: _Credentials | None = None
        # RFC 7675 clause 5.1: where consent was lost, these credentials do
        # not count any more.
        self.lost: dict[Address, None] = {}


class _Consent:
    """
    Whether the remote party still wants what is sent to it.
    """

    __slots__ = ("checkAt", "expireAt", "pending")

    def __init__(self, now: float) -> None:
        self.checkAt = now + _interval()
        self.expireAt = now + CONSENT_EXPIRY
        # By transaction: when it was sent.  A check that is older than the
        # expiry is forgotten, so there are eight at most.
        self.pending: dict[bytes, float] = {}


class _Component:
    """
    RTP's half of the transport, or RTCP's.
    """

    __slots__ = ("consent", "generation", "selected", "valid")

    def __init__(self) -> None:
        # In the order of the last request, each with the credentials it had.
        self.valid: dict[Address, _Generation] = {}
        self.selected: Address | None = None
        self.generation: _Generation | None = None
        self.consent: _Consent | None = None


def checkCredentials(ufrag: str, pwd: str) -> None:
    """
    Look at what a description says in C{a=ice-ufrag} and C{a=ice-pwd}.

    @raise NegotiationError: these are no credentials.
    """
    if not _UFRAG.fullmatch(ufrag):
        raise NegotiationError("ice-ufrag is not 4 to 256 letters, digits, + or /")
    if not _PWD.fullmatch(pwd):
        raise NegotiationError("ice-pwd is not 22 to 256 letters, digits, + or /")


class Agent:
    """
    An ICE-lite agent for one transport, with one component or two.

    After L{receive} and L{timeout}, returned or raised, fetch what
    L{nextDatagram}, L{nextEvent} and L{nextTimeout} have to say.
    """

    def __init__(self, *, consent: bool = False) -> None:
        """
        @param consent: whether to check that the remote party consents to
            what it is sent.  A lite agent need not; it must answer the remote
            party's checks, which this does in any case.
        """
        self._consent = consent
        self._current = _Generation()
        self._former: _Generation | None = None
        self._components = {1: _Component(), 2: _Component()}
        self._transactions: dict[bytes, Address] = {}
        self._knocks: dict[bytes, None] = {}
        # Lists, because they are almost always empty, and an empty deque is
        # the larger part of a kilobyte.
        self._datagrams: list[tuple[bytes, int, Address]] = []
        self._events: list[Event] = []
        self._refusals = 0
        self._refusalsSince = 0.0
        # Only who knocks or checks for consent needs it.
        self._tiebreaker: int | None = None

    def __repr__(self) -> str:
        return f"<Agent {self.ufrag} selected={[c.selected for c in self._components.values()]}>"

    @property
    def ufrag(self) -> str:
        """
        Our username fragment, for C{a=ice-ufrag}.
        """
        return self._current.local.ufrag

    @property
    def pwd(self) -> str:
        """
        Our password, for C{a=ice-pwd}.
        """
        return self._current.local.pwd

    def setRemote(self, ufrag: str, pwd: str) -> bool:
        """
        Take the remote party's credentials from its description.

        @return: whether this is an ICE restart: the credentials differ from
            those that belong to our present ones.  If they came in an offer,
            call L{restart} before answering.  The answer to a restart of ours
            is none itself.

        @raise NegotiationError: L{checkCredentials} does.
        """
        checkCredentials(ufrag, pwd)
        generation, remote = self._current, _Credentials(ufrag, pwd)
        if generation.remote == remote:
            return False
        restarted = generation.remote is not None
        if restarted and generation.replaced is None:
            generation.replaced = generation.remote
        generation.remote = remote
        return restarted

    def restart(self) -> None:
        """
        Make new credentials of our own (RFC 8445 clause 9).

        Each component goes on with the old ones until a pair is nominated
        under the new ones.
        """
        old, new = self._current, _Generation()
        if old.replaced is not None:
            # The remote party began it, and its new credentials go with ours.
            new.remote, old.remote, old.replaced = old.remote, old.replaced, None
        if self._former is None or any(c.generation is old for c in self._components.values()):
            self._former = old
        self._current = new

    def flush(self) -> None:
        """
        Forget all pairs: those whom they lead to are not who answered at last.
        """
        for component in self._components.values():
            component.valid.clear()
            component.selected = component.generation = component.consent = None
        self._current.replaced = None

    def knock(self, component: int, destination: Address) -> None:
        """
        Ask a candidate of the remote party for a sign of life.

        A lite agent sends no checks, and a full one finds its way to it.  But
        some full agents do not pair a candidate of theirs with an address like
        ours, until something comes from there: then they check it, as RFC 8445
        clause 7.3.1.4 says.  Nothing is learned from the response.
        """
        generation = self._current
        if generation.remote is not None:
            transaction = secrets.token_bytes(12)
            self._knocks[transaction] = None
            if len(self._knocks) > MAX_TRANSACTIONS:
                del self._knocks[next(iter(self._knocks))]
            self._ask(component, destination, transaction, generation, generation.remote)

    def isValid(self, component: int, source: Address) -> bool:
        """
        Whether an authenticated request came from that address.
        """
        return source in self._components[component].valid

    def selected(self, component: int) -> Address | None:
        """
        Where the remote party wants a component's packets, or L{None} if it
        has not said so yet or does not consent any more.
        """
        return self._components[component].selected

    def nextDatagram(self) -> tuple[bytes, int, Address] | None:
        """
        Something to send: the data, the component to send it from, and where
        to.
        """
        return self._datagrams.pop(0) if self._datagrams else None

    def nextEvent(self) -> Event | None:
        """
        Something that happened.
        """
        return self._events.pop(0) if self._events else None

    def nextTimeout(self) -> float | None:
        """
        When to call L{timeout}, if at all.
        """
        times = [min(c.consent.checkAt, c.consent.expireAt) for c in self._components.values() if c.consent]
        return min(times) if times else None

    def timeout(self, now: float) -> None:
        """
        Do what is due.
        """
        for number, component in self._components.items():
            consent = component.consent
            if consent is None:
                continue
            generation = component.generation
            assert generation is not None
            if generation.remote is None:
                # The description is still under way: there is no password to
                # ask with, and so nobody who could have failed to answer.
                if now >= consent.checkAt:
                    component.consent = _Consent(now)
            elif now >= consent.expireAt:
                self._loseConsent(number, component, "expired")
            elif now >= consent.checkAt:
                self._check(number, component, consent, generation, generation.remote, now)

    def receive(self, data: bytes, component: int, source: Address, now: float) -> None:
        """
        Take a datagram whose first octet is that of STUN.

        @param component: the component whose port it came to.
        @param source: where it came from.

        @raise RemoteError: it is malformed or not expected, and was dropped.
            A request that is refused is answered instead, and told of as
            L{Refused}.
        """
        size = len(data)
        if size < stun.HEADER_LENGTH or size > MAX_MESSAGE or size & 3:
            raise RemoteError("STUN length")
        kind, length, cookie = _HEADER.unpack_from(data)
        # RFC 8489 clause 6.3; clause 7.3 of RFC 8445 forbids messages without
        # the cookie, which RFC 3489 had.
        if kind > 0x3FFF or cookie != stun.COOKIE or length != size - stun.HEADER_LENGTH:
            raise RemoteError("STUN header")
        unknown = _walk(data)
        message: stun.Message | UsualRequest | None = parseUsual(data)
        if message is not None:
            self._request(message, unknown, component, source, now)
            return
        try:
            message = stun.parse_message(data)
        except (ValueError, LookupError, TypeError, ArithmeticError, struct.error) as e:
            raise RemoteError("STUN syntax", type(e).__name__) from None
        if message.message_method != stun.Method.BINDING:
            raise RemoteError("STUN method")
        if message.message_class == stun.Class.INDICATION:
            # A keepalive (RFC 8445 clause 11).  Nobody answers it.
            return
        if message.message_class == stun.Class.REQUEST:
            self._request(message, unknown, component, source, now)
        else:
            self._response(message, unknown, component, source, now)

    def _request(
        self,
        message: stun.Message | UsualRequest,
        unknown: list[int],
        number: int,
        source: Address,
        now: float,
    ) -> None:
        attributes, transaction = message.attributes, message.transaction_id
        # RFC 8489 clause 9.1.3, in its order.
        username = attributes.get("USERNAME")
        if username is None or "MESSAGE-INTEGRITY" not in attributes:
            self._refuse(400, transaction, number, source, now)
            return
        generation = self._find(username, number)
        if generation is None or not message.check_message_integrity(generation.local.pwd.encode()):
            self._refuse(401, transaction, number, source, now)
            return
        key = generation.local.pwd.encode()
        if unknown:
            self._refuse(420, transaction, number, source, now, key, unknown)
            return
        if "ICE-CONTROLLED" in attributes:
            self._refuse(487, transaction, number, source, now, key)
            return
        before = self._transactions.get(transaction)
        if before is not None and before != source:
            # The integrity does not cover the source.
            raise RemoteError("STUN replay")
        self._send(seal(response(transaction, source), key), number, source)
        if before is None:
            self._transactions[transaction] = source
            if len(self._transactions) > MAX_TRANSACTIONS:
                del self._transactions[next(iter(self._transactions))]
            self._learn(generation, number, source, "USE-CANDIDATE" in attributes, now)

    def _find(self, username: str, number: int) -> _Generation | None:
        """
        Whose username this is: ours and the remote party's fragments with a
        colon between them (RFC 8445 clause 7.3).
        """
        if len(username) > MAX_USERNAME:
            return None
        local, colon, remote = username.partition(":")
        if not colon:
            return None
        for generation in (self._current, self._former):
            if generation is None or generation.local.ufrag != local:
                continue
            if generation is self._former and self._components[number].generation is self._current:
                # A pair was nominated under the new credentials.
                return None
            if generation.remote is not None and generation.remote.ufrag != remote:
                return None
            return generation
        return None

    def _learn(self, generation: _Generation, number: int, source: Address, use: bool, now: float) -> None:
        component = self._components[number]
        if source in generation.lost:
            return
        known = component.valid.pop(source, None)
        component.valid[source] = self._current if known is self._current else generation
        if known is None:
            self._tell(Valid(number, source))
            if len(component.valid) > MAX_VALID:
                self._forget(component)
        if not use or (source == component.selected and generation is component.generation):
            return
        if component.generation is not None and generation is self._current is not component.generation:
            # RFC 8445 clause 9: the states of before the restart are flushed.
            component.valid = {a: g for a, g in component.valid.items() if g is self._current}
        component.selected, component.generation = source, generation
        if self._consent:
            component.consent = _Consent(now)
        self._tell(Nominated(number, source))

    def _forget(self, component: _Component) -> None:
        """
        Make room: the address that was quiet for longest goes, but never the
        selected one.
        """
        oldest = next(address for address in component.valid if address != component.selected)
        del component.valid[oldest]

    def _response(
        self, message: stun.Message, unknown: list[int], number: int, source: Address, now: float
    ) -> None:
        if message.transaction_id in self._knocks:
            # Whoever opens will come out and check.
            del self._knocks[message.transaction_id]
            return
        component = self._components[number]
        consent, generation = component.consent, component.generation
        if consent is None or generation is None or generation.remote is None:
            raise RemoteError("STUN response unexpected")
        if message.transaction_id not in consent.pending or source != component.selected:
            raise RemoteError("STUN response unexpected")
        if now >= consent.expireAt:
            # RFC 7675 clause 5.1: too late, though the timer was later still.
            self._loseConsent(number, component, "expired")
            raise RemoteError("STUN response late")
        # RFC 8489 clause 9.1.4: as if it had never been received.
        if not message.check_message_integrity(generation.remote.pwd.encode()):
            raise RemoteError("STUN response integrity")
        del consent.pending[message.transaction_id]
        if message.message_class == stun.Class.RESPONSE:
            # RFC 8489 clause 6.3.3
            if unknown:
                raise RemoteError("STUN response attribute")
            consent.expireAt = now + CONSENT_EXPIRY
        elif message.error_code == 403:
            # RFC 7675 clause 5.2
            self._loseConsent(number, component, "revoked")
        else:
            raise RemoteError("STUN response error")

    def _check(
        self,
        number: int,
        component: _Component,
        consent: _Consent,
        generation: _Generation,
        remote: _Credentials,
        now: float,
    ) -> None:
        assert component.selected is not None
        consent.checkAt = now + _interval()
        for transaction, sent in list(consent.pending.items()):
            if now - sent >= CONSENT_EXPIRY:
                del consent.pending[transaction]
        # RFC 7675 clause 5.1: each check is new and is sent once.
        transaction = secrets.token_bytes(12)
        consent.pending[transaction] = now
        self._ask(number, component.selected, transaction, generation, remote)

    def _ask(
        self,
        number: int,
        destination: Address,
        transaction: bytes,
        generation: _Generation,
        remote: _Credentials,
    ) -> None:
        if self._tiebreaker is None:
            self._tiebreaker = secrets.randbits(64)
        request = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            transaction,
            {
                "USERNAME": f"{remote.ufrag}:{generation.local.ufrag}",
                "PRIORITY": _REFLEXIVE_PREFERENCE << 24 | LOCAL_PREFERENCE << 8 | 256 - number,
                "ICE-CONTROLLED": self._tiebreaker,
            },
        )
        self._send(seal(bytes(request), remote.pwd.encode()), number, destination)

    def _loseConsent(self, number: int, component: _Component, reason: str) -> None:
        assert component.selected is not None and component.generation is not None
        remote, lost = component.selected, component.generation.lost
        lost[remote] = None
        if len(lost) > MAX_VALID:
            del lost[next(iter(lost))]
        component.valid.pop(remote, None)
        component.selected = component.consent = None
        self._tell(ConsentLost(number, remote, reason))

    def _refuse(
        self,
        code: int,
        transaction: bytes,
        number: int,
        source: Address,
        now: float,
        key: bytes | None = None,
        unknown: list[int] | None = None,
    ) -> None:
        if key is None:
            if now - self._refusalsSince >= 1.0:
                self._refusals, self._refusalsSince = 0, now
            if self._refusals >= MAX_REFUSALS:
                raise RemoteError("STUN refusals")
            self._refusals += 1
        error = stun.Message(
            stun.Method.BINDING, stun.Class.ERROR, transaction, {"ERROR-CODE": (code, _REASONS[code])}
        )
        data = bytes(error)
        if unknown:
            # RFC 8489 clause 14.13, which the codec does not have.
            value = struct.pack(f"!{len(unknown)}H", *unknown)
            data += _ATTRIBUTE.pack(_UNKNOWN_ATTRIBUTES, len(value)) + value + bytes(-len(value) % 4)
        self._send(seal(data, key), number, source)
        self._tell(Refused(number, source, code))

    def _tell(self, event: Event) -> None:
        if len(self._events) >= MAX_QUEUE:
            del self._events[0]
        self._events.append(event)

    def _send(self, data: bytes, number: int, destination: Address) -> None:
        if len(self._datagrams) >= MAX_QUEUE:
            raise RemoteError("STUN queue")
        self._datagrams.append((data, number, destination))


def _random(octets: int) -> str:
    return base64.b64encode(secrets.token_bytes(octets)).decode()


def _interval() -> float:
    low, high = CONSENT_INTERVAL
    return low + (high - low) * secrets.randbelow(1001) / 1000


def _walk(data: bytes) -> list[int]:
    """
    Look over the attributes.

    @return: the types of those that must be understood and are not.

    @raise RemoteError: an attribute does not fit into the message.
    """
    unknown: list[int] = []
    position, end, authentic = stun.HEADER_LENGTH, len(data), False
    while position < end:
        kind, length = _ATTRIBUTE.unpack_from(data, position)
        position += 4 + (length + 3 & ~3)
        if position > end:
            raise RemoteError("STUN attribute")
        if kind == _INTEGRITY:
            # RFC 8489 clause 9: what follows is not authentic, and ignored.
            authentic = True
        elif kind < 0x8000 and not authentic and kind not in _UNDERSTOOD and kind not in unknown:
            unknown.append(kind)
    return unknown
