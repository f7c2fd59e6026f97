"""
The two ends of one MSRP hop, by name, and who may say what to whom.
"""

from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.msrp import Request
from e2aegw.sansio.msrpuri import URI, parsePath

#: URIs of ours that were said in descriptions and may be in use: before and
#: after a change, and twice that for a repeated one.
MAX_OURS: Final = 4
#: Pairs of paths that need not be read again.
_MAX_CHECKED: Final = 4


class Paths:
    """
    Our URI and the other party's path.

    @ivar remote: the other party's whole path, as it described it, relays
        first.
    """

    def __init__(self) -> None:
        self._remote: tuple[URI, ...] = ()
        self._ours: list[URI] = []
        self._session: URI | None = None
        # As they stand in messages: they rarely change.
        self._checked: set[tuple[bytes, bytes]] = set()

    @property
    def remote(self) -> tuple[URI, ...]:
        """
        See the class.
        """
        return self._remote

    @remote.setter
    def remote(self, path: tuple[URI, ...]) -> None:
        self._remote = path
        self._checked.clear()

    def own(self, host: str, port: int, *, secure: bool, transport: str) -> URI:
        """
        Our own URI, of which the part that nobody can guess stays.
        """
        if self._session is None:
            self._session = URI.make(host, port, secure=secure, transport=transport)
        return URI.write(host, port, self._session.sessionID, secure=secure, transport=transport)

    def use(self, uri: URI) -> URI:
        """
        The other party is told that this is our URI.
        """
        if uri not in self._ours:
            self._ours = [*self._ours[1 - MAX_OURS :], uri]
            self._checked.clear()
        return uri

    def judge(self, request: Request) -> int:
        """
        The status code that refuses a request, or 0.
        """
        paths = (request.toPath, request.fromPath)
        if paths not in self._checked:
            try:
                to, sender = parsePath(request.toPath), parsePath(request.fromPath)
            except RemoteError:
                return 400
            # RFC 4975 clause 7.3: there is nobody behind us.
            if len(to) > 1 or not any(to[0].matches(uri) for uri in self._ours):
                return 481
            if self._remote:
                if not sender[-1].matches(self._remote[-1]):
                    return 481
                if len(self._checked) >= _MAX_CHECKED:
                    self._checked.clear()
                self._checked.add(paths)
        if request.fault:
            return 400
        # RFC 4976 clause 5.1: AUTH is for relays.
        return 501 if request.fragment.head.method == b"AUTH" else 0
