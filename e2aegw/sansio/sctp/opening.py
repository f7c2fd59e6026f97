"""
What the two sides tell each other before there is an association: INIT, INIT
ACK and the state cookie (RFC 9260 clause 5).  Nothing is kept of what the
other side says.
"""

from collections.abc import Callable
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import Init
from e2aegw.sansio.sctp.cookie import Cookie
from e2aegw.sansio.sctp.settings import MAX_STREAMS, Settings
from e2aegw.sansio.sctp.states import Input, State

#: No tags of an older association.
NO_TIES: Final = (0, 0)


class Opening:
    """
    How one side opens an association.

    @ivar tag: what the other side shall write into its packets.
    @ivar tsn: our first TSN.
    """

    def __init__(self, settings: Settings, entropy: Callable[[int], bytes]) -> None:
        """
        @param entropy: gives so many random bytes.
        """
        self._settings = settings
        self._entropy = entropy
        self._key = entropy(32)
        self.tag = self.newTag()
        self.tsn = self.newTag()

    def newTag(self) -> int:
        """
        A random number that is not zero.
        """
        return int.from_bytes(self._entropy(4), "big") or 1

    def _ours(self, tag: int, tsn: int, cookie: bytes, unrecognized: tuple[bytes, ...]) -> Init:
        settings = self._settings
        extensions = {c.RE_CONFIG, c.FORWARD_TSN}
        if settings.interleaving:
            extensions |= {c.I_DATA, c.I_FORWARD_TSN}
        return Init(
            tag=tag,
            window=settings.receiveWindow,
            outboundStreams=settings.outboundStreams,
            inboundStreams=settings.inboundStreams,
            tsn=tsn,
            extensions=frozenset(extensions),
            forwardTSN=True,
            zeroChecksum=settings.zeroChecksum,
            cookie=cookie,
            unrecognized=unrecognized,
        )

    def initChunk(self) -> bytes:
        """
        Our INIT.
        """
        return self._ours(self.tag, self.tsn, b"", ()).encode(c.INIT)

    def agree(self, init: Init, tag: int, tsn: int, ties: tuple[int, int], now: float) -> Cookie:
        """
        What an INIT or INIT ACK of the other side and ours come to.

        @param tag: our tag.
        @param tsn: our first TSN.
        @param ties: our tag and the other side's in an association that there
            is already.
        """
        settings = self._settings
        interleaving = settings.interleaving and c.I_DATA in init.extensions
        forward = c.I_FORWARD_TSN in init.extensions if interleaving else init.forwardTSN
        return Cookie(
            created=now,
            localTag=tag,
            remoteTag=init.tag,
            localTSN=tsn,
            remoteTSN=init.tsn,
            window=init.window,
            outboundStreams=min(settings.outboundStreams, init.inboundStreams, MAX_STREAMS),
            inboundStreams=min(settings.inboundStreams, init.outboundStreams, MAX_STREAMS),
            forwardTSN=forward,
            interleaving=interleaving,
            reset=c.RE_CONFIG in init.extensions,
            zeroChecksum=settings.zeroChecksum and init.zeroChecksum,
            localTie=ties[0],
            remoteTie=ties[1],
        )

    def initAckChunk(self, init: Init, ties: tuple[int, int], now: float) -> bytes:
        """
        Our answer to an INIT, with the tag and TSN that we would use ourselves
        (clauses 5.1 B and 5.2.1).
        """
        return self._answer(init, self.tag, self.tsn, ties, now)

    def initAckAnewChunk(self, init: Init, ties: tuple[int, int], now: float) -> bytes:
        """
        Our answer to an INIT when there is an association, with a new tag and
        a new TSN (clause 5.2.2).
        """
        return self._answer(init, self.newTag(), self.newTag(), ties, now)

    def _answer(self, init: Init, tag: int, tsn: int, ties: tuple[int, int], now: float) -> bytes:
        cookie = self.agree(init, tag, tsn, ties, now).seal(self._key)
        return self._ours(tag, tsn, cookie, init.unrecognized).encode(c.INIT_ACK)

    def openCookie(self, body: bytes, tag: int) -> Cookie:
        """
        Read a cookie that came back.

        @param tag: of the packet that it came in.

        @raise RemoteError: we did not write it, or the tag is another.
        """
        cookie = Cookie.open(body, self._key)
        if tag != cookie.localTag:
            raise RemoteError("SCTP tag", "COOKIE ECHO")
        return cookie

    def judge(self, cookie: Cookie, state: State, localTag: int, remoteTag: int) -> Input:
        """
        Compare a cookie with the association that there is (clause 5.2.4,
        table 12).

        @raise RemoteError: it belongs to another association.
        """
        if state is State.CLOSED:
            return Input.COOKIE_NEW
        remote = cookie.remoteTag == remoteTag
        if cookie.localTag == localTag:
            return Input.COOKIE_DUPLICATE if remote else Input.COOKIE_COLLISION
        if remote:
            return Input.COOKIE_LATE
        if (cookie.localTie, cookie.remoteTie) == (localTag, remoteTag):
            return Input.COOKIE_RESTART
        raise RemoteError("SCTP cookie", "of another association")

    def staleness(self, cookie: Cookie, now: float) -> int:
        """
        By how many microseconds a cookie is too old, or 0.
        """
        late = now - cookie.created - self._settings.cookieLifetime
        return max(0, min(int(late * 1e6), 0xFFFFFFFF))
