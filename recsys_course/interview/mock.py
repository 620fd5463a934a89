"""A timed mock interview: a paper drawn by seed, its parts in order against a clock, and the debrief.

What it comes to is kept after every answer (`recsys_course.interview.mock_state`); ``recsys-course mock --resume`` goes
on where it was interrupted. Clocks run while you answer; grading is not timed.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from recsys_course import learner
from recsys_course.interview import (
    debrief,
    debrief_page,
    debrief_summary,
    mock_coding,
    mock_paper,
    mock_pool,
    mock_question,
)
from recsys_course.interview.bank import BankError
from recsys_course.interview.mock_paper import KINDS, NAMES, Order, Paper, Part
from recsys_course.interview.mock_state import Sitting
from recsys_course.interview.outcome import Outcome, PracticeError
from recsys_course.interview.screen import Ended, Screen, minutes

BREAK_MINUTES = 5
RESUME = "`recsys-course mock --resume` goes on"


def draw(order: Order, now: datetime | None = None) -> Paper:
    """Draw a paper from the bank and the learner's history.

    Args:
        order: what is wanted.
        now: None takes the clock.

    Raises:
        PracticeError: nothing fits.
    """
    kinds = KINDS if order.round == "loop" else (order.round,)
    return mock_paper.draw(mock_pool.pool(kinds), mock_pool.history(), order, now or datetime.now(UTC))


def sit(screen: Screen, sitting: Sitting) -> Path | None:
    """Sit what is left of a mock; return the page of the debrief, or None where the learner left.

    Raises:
        PracticeError: a file cannot be written or read; everything so far is kept.
    """
    _introduce(screen, sitting)
    try:
        while sitting.left:
            sitting.finish_part(_part(screen, sitting))
    except (Ended, KeyboardInterrupt):
        screen.say(f"\nStopped. {len(sitting.done)} of {len(sitting.paper.parts)} parts done and kept: {RESUME}.")
        return None
    return close(screen, sitting)


def close(screen: Screen, sitting: Sitting) -> Path:
    """Write the debrief of the parts that were sat and end the mock."""
    found = debrief.make(sitting)
    page = debrief_page.write(found)
    if not sitting.left:
        mock_pool.note_finished(sitting.paper.order.round)
    sitting.finish(str(page))
    debrief_summary.show(screen, found, page)
    return page


def _introduce(screen: Screen, sitting: Sitting) -> None:
    paper, order = sitting.paper, sitting.paper.order
    screen.head(f"Mock interview: {order.round}, {order.level}, seed {order.seed}")
    screen.say(
        f"{_count(len(paper.parts), 'part')}, {paper.minutes} of {order.minutes} minutes on the clock; grading comes "
        f"on top. q or Ctrl-C keeps everything: {RESUME}."
    )
    for note in paper.notes:
        screen.say(note)
    if sitting.done:
        screen.say(f"Done so far: {len(sitting.done)} of {len(paper.parts)}.")


def _part(screen: Screen, sitting: Sitting) -> Outcome:
    part, number = sitting.left[0], len(sitting.done) + 1
    if sitting.done and part.kind != sitting.done[-1].part.kind and not sitting.progress:
        screen.ask(f"\nBreak of {BREAK_MINUTES} minutes: stand up. Enter goes on.")
    clock = f"{minutes(sitting.seconds)} of {sitting.paper.order.minutes}:00 used"
    screen.head(f"Part {number} of {len(sitting.paper.parts)}: {NAMES[part.kind]}, {clock}")
    try:
        if not sitting.progress:
            mock_pool.note_shown(part, sitting.paper.order.seed)
        return ROUNDS[part.kind](screen, part, sitting)
    except BankError as error:
        raise PracticeError(f"{error}; the mock is kept: mend the bank, then {RESUME}") from error
    except OSError as error:
        where = error.filename or "the learner's record"
        problem = f"{where} cannot be written or read ({error.strerror})"
        raise PracticeError(f"{problem}; the mock is kept: mend that, then {RESUME}") from error


def _question(screen: Screen, part: Part, sitting: Sitting) -> Outcome:
    return mock_question.sit(screen, part, sitting)


def _coding(screen: Screen, part: Part, sitting: Sitting) -> Outcome:
    return mock_coding.sit(screen, part, sitting, learner.find_course())


def _debug(screen: Screen, part: Part, sitting: Sitting) -> Outcome:
    """The round keeps its own files; time before an interruption counts."""
    from recsys_course.interview import debugging_copy

    debugging, kept = mock_pool.source("debug"), sitting.progress
    before, start, again = kept.get("spent", 0.0), screen.clock(), "opened" not in kept
    sitting.keep(opened=True)
    try:
        minutes_left = max(part.minutes - before / 60, 1)
        outcome = debugging.sit(screen, part.id, minutes_left, sitting.language, again)
    except (Ended, KeyboardInterrupt):
        sitting.keep(spent=before + screen.clock() - start)
        raise
    attempt = debugging_copy.read(learner.find_course(), debugging.load(part.id))
    sitting.keep(lines=attempt.explanation.splitlines())
    return replace(outcome, seconds=outcome.seconds + before)


def _design(screen: Screen, part: Part, sitting: Sitting) -> Outcome:
    """The round keeps its own notes and goes on with them."""
    from recsys_course.interview import design_notes

    designs = mock_pool.source("design")
    outcome = designs.sit(screen, part.id, part.minutes, sitting.language)
    designs.record(designs.load(part.id), outcome, minutes=part.minutes)
    notes = [one.notes() for one in design_notes.attempts() if (one.design, one.place) == (part.id, designs.MOCK)]
    sitting.keep(lines=notes[-1] if notes else [])
    return outcome


ROUNDS = {"concept": _question, "coding": _coding, "debug": _debug, "design": _design}


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
