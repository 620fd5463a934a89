"""The system-design round: a prompt, a clock of six phases, an interviewer, a rubric, and a model answer with numbers.

The order is fixed: the learner talks and types notes by the clock; grades eight dimensions; hears what the notes lack
and reads the model answer, whose numbers are computed while it is shown; grades again. The difference of the two grades
says how well one judges oneself. A design is never a card: it is practised again, not remembered.
"""

from pathlib import Path

from recsys_course import progress
from recsys_course.interview import design_notes, reviews
from recsys_course.interview.bank import BANK
from recsys_course.interview.design_file import Design, read_design
from recsys_course.interview.design_notes import Attempt
from recsys_course.interview.design_review import review
from recsys_course.interview.design_round import Round
from recsys_course.interview.design_rubric import load_rubric
from recsys_course.interview.layout import pad, width
from recsys_course.interview.outcome import Outcome, PracticeError
from recsys_course.interview.records import by_id
from recsys_course.interview.screen import Ended, Screen

PASS = 65  # percent, "hire"
PRACTICE, MOCK = "practice", "mock"


def design_files(bank: Path = BANK) -> list[Path]:
    """All design files, in the order of their ids."""
    return sorted((bank / "design").glob("SD*.md"))


def all_designs(bank: Path = BANK) -> list[Design]:
    """Every design, in the order of the ids."""
    return [read_design(path) for path in design_files(bank)]


def load(design: str, bank: Path = BANK) -> Design:
    """The design with this id.

    Raises:
        PracticeError: there is none.
    """
    files = {path.name.partition("-")[0]: path for path in design_files(bank)}
    return read_design(by_id(design, files, "design", PracticeError))


def sit(
    screen: Screen, design: str, minutes: float | None = None, language: str = "both", place: str = MOCK
) -> Outcome:
    """Talk one design through and grade it; an interrupted one can be gone on with.

    Args:
        screen: where to.
        design: its id.
        minutes: of the whole clock, whose phases are scaled; None takes the design's own.
        language: of the prompt: en, zh or both.
        place: ``mock`` or ``practice``; the one never goes on with the other's notes.

    Raises:
        Ended: the learner left; notes and grades so far are kept.
        PracticeError: there is no such design, or notes cannot be written.
    """
    found = load(design)
    attempt = _attempt(screen, found, minutes or found.minutes, place)
    rubric = load_rubric().scaled(attempt.minutes)
    Round(screen, found, rubric, attempt, language).run()
    return review(screen, found, rubric, attempt)


def practise(screen: Screen, design: str, language: str = "both") -> Outcome | None:
    """Practise one design and record it; None where the learner left before the end.

    Raises:
        PracticeError: there is no such design, or notes cannot be written.
    """
    found = load(design)
    try:
        outcome = sit(screen, design, None, language, PRACTICE)
    except (Ended, KeyboardInterrupt):
        screen.say(f"\nStopped. Your notes are kept: `recsys-course design {found.id}` goes on with them.")
        return None
    record(found, outcome)
    screen.say(f"\nYour notes stay in {design_notes.JOURNAL.path}. `recsys-course design` lists the others.")
    return outcome


def record(design: Design, outcome: Outcome, minutes: float | None = None) -> None:
    """Keep the result: in the reviews, never as a card, and in the progress.

    Args:
        design: which.
        outcome: what it came to.
        minutes: of the clock; None takes the design's own.
    """
    in_time = outcome.seconds <= (minutes or design.minutes) * 60
    result = "passed" if outcome.percent >= PASS else "failed"
    progress.record(f"design.{design.id}", result, rev=design.rev, score=outcome.percent)
    reviews.record(
        design.id,
        design.rev,
        reviews.rate(outcome.percent / 100, in_time),
        "design",
        seconds=round(outcome.seconds, 1),
        first=outcome.first,
        final=outcome.percent,
    )


def table() -> str:
    """All designs, one a line, with the best result."""
    every, best = all_designs(), best_scores()
    wide = max(width(design.title) for design in every)
    lines = [f"id   {pad('design', wide)}  level   min  best"]
    for one in every:
        score = str(best.get(one.id, "-"))
        lines.append(f"{one.id}  {pad(one.title, wide)}  {pad(one.level, 6)}  {one.minutes:>3}  {score:>4}")
        lines.append(f"     {one.title_zh}")
    return "\n".join(lines)


def best_scores() -> dict[str, int]:
    """The best percent of each design that was practised to the end."""
    best: dict[str, int] = {}
    for one in reviews.read():
        if one.mode == "design" and isinstance(one.final, int):
            best[one.item] = max(one.final, best.get(one.item, 0))
    return best


def _attempt(screen: Screen, design: Design, minutes: float, place: str) -> Attempt:
    """The unfinished one, if the learner wants that, or a new one."""
    earlier = design_notes.unfinished(design.id, design.rev, place)
    if earlier is None or earlier.is_empty():
        return design_notes.begin(design.id, design.rev, minutes, place)
    lines, day = len(earlier.notes()), earlier.began[:10]
    answer = screen.ask(f"{design.id}: {lines} lines of {day} are not finished. Enter goes on, new begins afresh:")
    return design_notes.begin(design.id, design.rev, minutes, place) if answer == "new" else earlier
