"""Which questions, tasks and designs a mock interview asks.

`draw` is a pure function: the same order, pool, history and day give the same paper, on every machine. It depends on

- the order: round, level, minutes and seed;
- of each item of the bank its id, kind, form, level, minutes, topics and whether interviewers are reported to ask it.
  The order of the files, the texts and the revisions change nothing, and a new item changes a paper only where it is
  itself chosen, because every item's lot comes from the seed and its own id alone;
- the history: in which third of its questions a topic has been practised, and when an item was last in a mock;
- the day, for the 14 days in which nothing is repeated.

Every item is chosen by these rules, the first that tells two apart:

1. It fits into the minutes that are left, is at most one level from the one wanted, and was in no mock for 14 days.
   Only where no such item is left, and the paper is empty or ten minutes are free, the one comes again that was not
   asked for longest, and the paper says so; a level further away comes only where the paper would be empty.
2. At most a third of the questions are of another form (design, product, project, debugging).
3. Level: the third place is for one below, the fifth for one above, all others for the level wanted. Where a level has
   run out, the nearest, and the paper says so.
4. A topic that is not in the paper yet; then the topic that was practised least, by thirds of its questions.
5. The lot, in which what is reported counts twice.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from recsys_course.interview.bank import LEVELS
from recsys_course.interview.outcome import PracticeError

KINDS = ("concept", "coding", "debug", "design")
ROUNDS = (*KINDS, "loop")
NAMES = {"concept": "question", "coding": "coding task", "debug": "debugging task", "design": "design"}
MINUTES, LOOP_MINUTES = 45, 120
REST = timedelta(days=14)
FREE = 10  # minutes: below that, a paper rather ends early than repeats
STEPS = (0, 0, -1, 0, 1)  # levels above the one wanted, by place
LOOP_QUESTIONS = 3
DRAWN_FIRST = ("design", "coding", "debug", "concept")  # in a loop, the longest


@dataclass(frozen=True)
class Part:
    """One item of the bank, as the draw sees it.

    Attributes:
        kind: one of ``KINDS``.
        id: of the question, task or design.
        form: what kind of question it is: concept, design, product, ...; of a task its kind.
        topics: letters.
        reported: whether interviewers are reported to ask it.
    """

    kind: str
    id: str
    rev: int
    level: str
    minutes: int
    topics: tuple[str, ...]
    reported: bool = False
    form: str = "concept"

    @property
    def is_plain(self) -> bool:
        """Whether it is no question of another round, such as a product question."""
        return self.kind != "concept" or self.form == "concept"


@dataclass(frozen=True)
class Order:
    """What the learner wants.

    Attributes:
        round: one of ``ROUNDS``.
        level: one of the bank's levels.
        minutes: of the whole paper, without grading and breaks.
        seed: any number.
    """

    round: str
    level: str
    minutes: int
    seed: int


@dataclass(frozen=True)
class History:
    """What was done so far.

    Attributes:
        coverage: topic and the share of its questions that was practised, in [0, 1]; a topic that is missing is new.
        shown: item and when it was last in a mock.
    """

    coverage: Mapping[str, float] = field(default_factory=dict)
    shown: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Paper:
    """The parts of a mock, in the order in which they are sat, and what there is to say about the draw."""

    order: Order
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def minutes(self) -> int:
        """What its parts take together."""
        return sum(part.minutes for part in self.parts)


def draw(pool: Collection[Part], history: History, order: Order, now: datetime) -> Paper:
    """Draw a paper.

    Args:
        pool: all there is, in any order.
        history: what was done so far.
        order: what is wanted.
        now: with a time zone.

    Raises:
        PracticeError: nothing fits into the minutes.
    """
    draw = _Draw(history, order, now)
    if order.round == "loop":
        _loop(draw, pool)
    else:
        draw.fill(_of(pool, order.round), order.minutes)
    parts = sorted(draw.chosen, key=lambda part: (KINDS.index(part.kind), LEVELS.index(part.level)))
    return Paper(order, tuple(parts), tuple(draw.notes()))


def _loop(draw: "_Draw", pool: Collection[Part]) -> None:
    """One part of each kind, up to three questions; what is drawn leaves room for what is still to come."""
    order = draw.order
    least = {kind: min(p.minutes for p in draw.near(_of(pool, kind)) or _of(pool, kind)) for kind in KINDS}
    if sum(least.values()) > order.minutes:
        raise PracticeError(
            f"a loop at level {order.level} takes at least {sum(least.values())} minutes, got {order.minutes}: "
            "give it more, or sit one round with --round"
        )
    for place, kind in enumerate(DRAWN_FIRST):
        reserved = sum(least[later] for later in DRAWN_FIRST[place + 1 :])
        taken = sum(part.minutes for part in draw.chosen)
        most = LOOP_QUESTIONS if kind == "concept" else 1
        draw.fill(_of(pool, kind), order.minutes - reserved - taken, most)


def _of(pool: Collection[Part], kind: str) -> list[Part]:
    """The items of a kind by id.

    Raises:
        PracticeError: there is none.
    """
    if found := sorted((part for part in pool if part.kind == kind), key=lambda part: part.id):
        return found
    raise PracticeError(f"the bank has no {NAMES[kind]} yet: choose another round with --round")


class _Draw:
    """A paper while it is drawn."""

    def __init__(self, history: History, order: Order, now: datetime):
        self.history, self.order, self.now = history, order, now
        self.rank = LEVELS.index(order.level)
        self.chosen: list[Part] = []
        self.repeated: list[Part] = []
        self.displaced: list[Part] = []  # of a level that neither their place nor the order wanted

    def near(self, parts: Sequence[Part]) -> list[Part]:
        """Those at most one level away from the one wanted."""
        return [part for part in parts if abs(LEVELS.index(part.level) - self.rank) <= 1]

    def fill(self, parts: Sequence[Part], room: int, most: int | None = None) -> None:
        """Choose from one kind until nothing fits or `most` are chosen.

        Raises:
            PracticeError: not even one fits.
        """
        found: list[Part] = []
        while most is None or len(found) < most:
            left = [part for part in parts if part not in found and part.minutes <= room]
            part = self._pick(left, len(found), room)
            if part is None:
                break
            self._take(part, len(found))
            found.append(part)
            room -= part.minutes
        if not found:
            shortest = min(part.minutes for part in parts)
            name = NAMES[parts[0].kind]
            raise PracticeError(f"no {name} fits in {room} minutes, the shortest takes {shortest}: give more --minutes")

    def notes(self) -> list[str]:
        """What there is to say about the draw, one sentence each."""
        said = []
        if self.repeated:
            ids = ", ".join(part.id for part in self.repeated)
            said.append(f"Not enough is left that was in no mock for {REST.days} days: {ids} came before.")
        if self.displaced:
            ids = ", ".join(f"{part.id} ({part.level})" for part in self.displaced)
            said.append(f"Too little of level {self.order.level} is left or fits; the nearest instead: {ids}.")
        return said

    def _pick(self, left: list[Part], place: int, room: int) -> Part | None:
        near = self.near(left)
        if fresh := [part for part in near if not self._is_recent(part)]:
            return min(fresh, key=lambda part: self._key(part, place))
        if near and (place == 0 or room >= FREE):
            return min(near, key=lambda part: (self.history.shown[part.id], self._key(part, place)))
        if place:
            return None
        return min(left, key=lambda part: (self._is_recent(part), self._key(part, place)), default=None)

    def _target(self, place: int) -> int:
        """Rank of the level that a place wants."""
        step = STEPS[place] if place < len(STEPS) else 0
        return min(max(self.rank + step, 0), len(LEVELS) - 1)

    def _take(self, part: Part, place: int) -> None:
        self.chosen.append(part)
        if self._is_recent(part):
            self.repeated.append(part)
        if LEVELS.index(part.level) not in (self._target(place), self.rank):
            self.displaced.append(part)

    def _key(self, part: Part, place: int) -> tuple:
        """The smallest is chosen."""
        others = sum(not one.is_plain for one in self.chosen)
        too_many = not part.is_plain and 3 * (others + 1) > place + 1
        rank = LEVELS.index(part.level)
        used = [letter for one in self.chosen for letter in one.topics]
        coverage = min((self.history.coverage.get(letter, 0.0) for letter in part.topics), default=0.0)
        lot = random.Random(f"{self.order.seed}:{part.id}").random() ** (0.5 if part.reported else 1.0)
        again = max((used.count(letter) for letter in part.topics), default=0)
        return (too_many, abs(rank - self._target(place)), rank, again, int(3 * coverage), -lot, part.id)

    def _is_recent(self, part: Part) -> bool:
        return part.id in self.history.shown and self.now - self.history.shown[part.id] < REST
