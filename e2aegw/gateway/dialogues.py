"""
Which session a message from the controller is about.

The controller names calls by Call-ID, parties by their tags, and the branches
of a forked call by the branch of a Via line.  A L{Dialogue} is one session
with these names on it.

The rules, in this order:

  1. An offer or an answer between two parties that have talked already
     belongs to their dialogue, whichever of the two speaks.  Its via-branch
     does not count: every request within a dialogue has a new one.
  2. Otherwise the via-branch decides, if there is one: each branch of a forked
     call has a session of its own.
  3. Without it, all offers of one party in one call are for one session, and
     all answers, from whatever party, answer that; the last one counts.
"""

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall

from e2aegw.interfaces import ISession
from e2aegw.sansio.ng import Fields
from e2aegw.sansio.ngflags import Request
from e2aegw.sansio.ngreply import TaggedReport

#: Most sessions of one call.  Proxies fork to the contacts of one user.
MAX_DIALOGUES = 32
#: Most parties that may have answered one session; of more, the first are
#: forgotten.
MAX_ANSWERERS = 32


class Dialogue:
    """
    A session, and what the controller calls it.

    @ivar fromTag: the party that made the first offer.
    @ivar answerers: the tags of those who answered it, in the order of their
        last answers, and of the party that the offer was for if it named one.
    @ivar described: whether there was an offer that could be translated.
    @ivar answered: whether there was any answer.
    @ivar answererSpoke: whether the last offer came from one of the
        C{answerers}.
    @ivar given: for the tag of each party that made offers, the last answer
        to one and its translation.
    @ivar turn: only one description is translated at a time.
    @ivar underWay: for each offer and answer that is being translated, those
        who wait for the same.
    @ivar ending: the delayed C{delete}.
    """

    def __init__(self, session: ISession, request: Request) -> None:
        self.session = session
        self.callID = request.callID
        self.viaBranch = request.viaBranch
        self.fromTag = request.fromTag
        self.answerers: dict[str, None] = {}
        if request.toTag:
            self.answerers[request.toTag] = None
        self.described = False
        self.answered = False
        self.answererSpoke = False
        self.labels: dict[str, str] = {}
        self.given: dict[str, tuple[object, str]] = {}
        self.turn: DeferredLock = DeferredLock()
        self.underWay: dict[Any, list[Deferred[Fields]]] = {}
        self.ending: IDelayedCall | None = None

    def has(self, tag: str) -> bool:
        """
        Whether this is the tag of a party.
        """
        return tag == self.fromTag or tag in self.answerers

    def joins(self, a: str, b: str) -> bool:
        """
        Whether these two are the two parties, in either order.
        """
        return (a == self.fromTag and b in self.answerers) or (b == self.fromTag and a in self.answerers)

    def note(self, answerer: str) -> None:
        """
        This party answers, or has spoken as the one that answered.
        """
        self.answerers.pop(answerer, None)
        self.answerers[answerer] = None
        while len(self.answerers) > MAX_ANSWERERS:
            del self.answerers[next(iter(self.answerers))]

    def remember(self, offerer: str, answer: object, sdp: str) -> None:
        """
        An answer was translated.
        """
        # One for either direction: of several that answered, only the last
        # one's offers are open.
        other = {
            tag: given
            for tag, given in self.given.items()
            if (tag == self.fromTag) is not (offerer == self.fromTag)
        }
        self.given = {**other, offerer: (answer, sdp)}

    def name(self, tag: str, label: str) -> None:
        """
        The controller has a name for a party.
        """
        if label and self.has(tag):
            self.labels[tag] = label

    def names(self) -> dict[str, str]:
        """
        What the controller calls it.
        """
        answerer = next(reversed(self.answerers), "")
        names = {"call-id": self.callID, "from-tag": self.fromTag, "to-tag": answerer}
        return {**names, "via-branch": self.viaBranch} if self.viaBranch else names

    def report(self) -> TaggedReport:
        """
        How it stands.
        """
        answerer = next(reversed(self.answerers), "")
        return TaggedReport(
            report=self.session.report(),
            tags=(self.fromTag, answerer),
            labels=(self.labels.get(self.fromTag, ""), self.labels.get(answerer, "")),
            viaBranch=self.viaBranch,
        )


class Dialogues:
    """
    All that there are, by Call-ID.
    """

    def __init__(self) -> None:
        self._calls: dict[str, list[Dialogue]] = {}

    def __len__(self) -> int:
        """
        How many calls there are, branches not counted.
        """
        return len(self._calls)

    def __iter__(self) -> Iterator[str]:
        return iter(self._calls)

    def of(self, callID: str) -> list[Dialogue]:
        """
        The dialogues of a call, the youngest last.
        """
        return list(self._calls.get(callID, ()))

    def full(self, callID: str) -> bool:
        """
        Whether a call has as many as it may have.
        """
        return len(self._calls.get(callID, ())) >= MAX_DIALOGUES

    def add(self, dialogue: Dialogue) -> None:
        """
        There is a new one.
        """
        self._calls.setdefault(dialogue.callID, []).append(dialogue)

    def remove(self, dialogue: Dialogue) -> bool:
        """
        It has ended.

        @return: whether it was known.
        """
        dialogues = self._calls.get(dialogue.callID, [])
        if dialogue not in dialogues:
            return False
        dialogues.remove(dialogue)
        if not dialogues:
            del self._calls[dialogue.callID]
        return True

    def forOffer(self, request: Request) -> Dialogue | None:
        """
        Which dialogue an offer belongs to, or L{None}: it begins one.
        """
        speaker, other, branch = request.fromTag, request.toTag, request.viaBranch
        dialogues = self._calls.get(request.callID, [])
        if other:
            for d in reversed(dialogues):
                if d.joins(speaker, other):
                    return d
        for d in reversed(dialogues):
            if d.fromTag == speaker and d.viaBranch == branch:
                return d
        if other:
            # Within a dialogue of which no answer came by here: an UPDATE
            # after a 180 without a description.
            for d in reversed(dialogues):
                if d.fromTag in (speaker, other) and not (d.answerers and d.viaBranch):
                    return d
        return None

    def forAnswer(self, request: Request) -> Dialogue | None:
        """
        Which dialogue an answer belongs to.  C{fromTag} in an answer is who
        made the offer.
        """
        offerer, answerer, branch = request.fromTag, request.toTag, request.viaBranch
        dialogues = self._calls.get(request.callID, [])
        for d in reversed(dialogues):
            if d.joins(offerer, answerer):
                return d
        mine = [d for d in reversed(dialogues) if d.fromTag == offerer]
        for d in mine:
            if branch and d.viaBranch == branch:
                return d
        for d in mine:
            # A controller that names branches in some messages only.
            if not branch or not d.viaBranch:
                return d
        return mine[0] if len(mine) == 1 else None

    def forDelete(self, request: Request) -> list[Dialogue]:
        """
        Which dialogues a C{delete} ends.
        """
        dialogues = self.of(request.callID)
        if not request.fromTag:
            mine = dialogues
        elif request.honourToTag and request.toTag:
            return [d for d in dialogues if d.joins(request.fromTag, request.toTag)]
        else:
            mine = [d for d in dialogues if d.has(request.fromTag)]
        branch = [d for d in mine if request.viaBranch and d.viaBranch == request.viaBranch]
        # The BYE of a dialogue has another branch than its INVITE had.
        if branch or not mine:
            return branch
        if request.fromTag and all(d.fromTag != request.fromTag for d in mine):
            # One that was called hangs up.  The branches that nobody has
            # answered were cancelled when this one was, and nothing more
            # will be said about them.
            callers = {d.fromTag for d in mine}
            mine += [d for d in dialogues if d not in mine and d.fromTag in callers and not d.answered]
        return mine

    def forQuery(self, request: Request) -> list[Dialogue]:
        """
        Which dialogues a C{query} is about.
        """
        tags = [t for t in (request.fromTag, request.toTag) if t]
        return [d for d in self.of(request.callID) if all(d.has(t) for t in tags)]
