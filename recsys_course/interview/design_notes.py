"""The learner's notes on a design: every line is on disk before the next is asked for.

All attempts are in one journal, ``designs.jsonl``, beside the other records: an attempt is the events with its name, in
their order. So nothing is lost when a session is interrupted, and the next one goes on where it stopped.
"""

import uuid
from dataclasses import dataclass, field

from recsys_course.interview.outcome import PracticeError
from recsys_course.journal import Journal

JOURNAL = Journal("designs", ("time", "attempt", "design", "kind"))
FIELDS = {  # what an event of each kind must hold
    "start": {"rev": int, "minutes": (int, float), "place": str},
    "note": {"phase": str, "text": str, "elapsed": (int, float)},
    "next": {"phase": str, "elapsed": (int, float)},
    "pause": {"elapsed": (int, float)},
    "dives": {"ids": list},
    "grade": {"when": str, "dimension": str, "grade": int},
    "end": {},
}


@dataclass
class Attempt:
    """One go at a design.

    Attributes:
        place: ``practice`` or ``mock``: the one never goes on with the other's notes.
        events: what happened, in order: start, note, next, pause, dives, grade, end.
    """

    id: str
    design: str
    rev: int
    minutes: float
    place: str
    began: str
    events: list[dict] = field(default_factory=list)

    def record(self, kind: str, **more: object) -> None:
        """Append an event, on disk first.

        Raises:
            PracticeError: it cannot be written; what was written before is kept.
        """
        event = {"attempt": self.id, "design": self.design, "kind": kind, "n": len(self.events), **more}
        try:
            JOURNAL.record(**event)
        except OSError as error:
            message = f"{JOURNAL.path} cannot be written ({error.strerror or error}): what you typed before is kept; "
            raise PracticeError(f"{message}mend that, and `recsys-course design {self.design}` goes on") from error
        self.events.append(event)

    def note(self, phase: str, text: str, elapsed: float) -> None:
        """Keep one line that the learner typed."""
        self.record("note", phase=phase, text=text, elapsed=round(elapsed, 1))

    def notes(self, phase: str | None = None, part: int | None = None) -> list[str]:
        """The lines typed so far, of one phase, or of one part of it, where that is said."""
        found, passed = [], 0
        for event in self.events:
            passed += event["kind"] == "next" and event["phase"] == phase
            if event["kind"] == "note" and phase in (None, event["phase"]) and part in (None, passed):
                found.append(event["text"])
        return found

    def passed(self, phase: str) -> int:
        """How many parts of a phase are over."""
        return sum(event["kind"] == "next" and event["phase"] == phase for event in self.events)

    def dives(self) -> tuple[str, ...]:
        """The deep dives that the interviewer has chosen; none yet where it is empty."""
        return tuple(next((event["ids"] for event in self.events if event["kind"] == "dives"), ()))

    def elapsed(self) -> float:
        """Seconds on the clock so far; pauses do not count."""
        return max((event.get("elapsed", 0.0) for event in self.events), default=0.0)

    def spent(self) -> dict[str, float]:
        """Seconds that each finished phase took."""
        ends: dict[str, float] = {}
        for event in self.events:
            if event["kind"] == "next":
                ends[event["phase"]] = event["elapsed"]
        starts = [0.0, *ends.values()]
        return {phase: end - start for (phase, end), start in zip(ends.items(), starts, strict=False)}

    def grades(self, when: str) -> dict[str, int]:
        """The grades given so far, ``first`` or ``final``, by dimension."""
        found = [event for event in self.events if event["kind"] == "grade" and event["when"] == when]
        return {event["dimension"]: event["grade"] for event in found}

    def is_empty(self) -> bool:
        """Whether nothing was done yet."""
        return not any(event["kind"] in ("note", "next", "grade") for event in self.events)

    def is_over(self) -> bool:
        """Whether it was graded to the end."""
        return any(event["kind"] == "end" for event in self.events)


def begin(design: str, rev: int, minutes: float, place: str) -> Attempt:
    """Start an attempt; earlier ones stay where they are.

    Raises:
        PracticeError: it cannot be written.
    """
    attempt = Attempt(uuid.uuid4().hex[:8], design, rev, minutes, place, "")
    attempt.record("start", rev=rev, minutes=minutes, place=place, elapsed=0.0)
    return attempt


def unfinished(design: str, rev: int, place: str) -> Attempt | None:
    """The latest attempt at this revision, if it is not over."""
    found = [one for one in attempts() if (one.design, one.rev, one.place) == (design, rev, place)]
    return found[-1] if found and not found[-1].is_over() else None


def attempts() -> list[Attempt]:
    """Every attempt, oldest first; an event that is none is skipped."""
    events = list(filter(_is_whole, JOURNAL.events()))
    found: dict[str, Attempt] = {}
    for event in events:
        if event["kind"] == "start":
            facts = (event[key] for key in ("attempt", "design", "rev", "minutes", "place", "time"))
            found[event["attempt"]] = Attempt(*facts)
    for event in sorted(events, key=lambda event: event["n"]):  # a clock that goes back changes nothing
        if event["attempt"] in found:
            found[event["attempt"]].events.append(event)
    return list(found.values())


def _is_whole(event: dict) -> bool:
    fields = FIELDS.get(event["kind"])
    return fields is not None and all(isinstance(event.get(key), kind) for key, kind in {"n": int, **fields}.items())
