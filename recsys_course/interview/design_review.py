"""After the interview: grades by the learner, what the notes lack, the model answer, grades again."""

import re
from collections.abc import Mapping

from recsys_course.interview.design_file import Design
from recsys_course.interview.design_notes import Attempt
from recsys_course.interview.design_page import answer_sections
from recsys_course.interview.design_rubric import HIGHEST, Dimension, Rubric
from recsys_course.interview.outcome import Outcome
from recsys_course.interview.screen import Screen, minutes

FIRST, FINAL = "first", "final"
HALF = 0.5


def review(screen: Screen, design: Design, rubric: Rubric, attempt: Attempt) -> Outcome:
    """Grade, show, grade again; what was graded before an interruption is not asked for again.

    Raises:
        Ended: the learner left; the grades so far are kept.
    """
    show_pace(screen, rubric, attempt)
    lost = rubric.lost(attempt.spent())
    screen.head("Grade yourself before you see the model answer")
    screen.say("For each dimension 0 to 4, and 5 where you were beyond it. An interviewer grades what was said.")
    grade(screen, rubric, attempt, FIRST)
    first = rubric.percent(attempt.grades(FIRST), lost)
    screen.say(f"\nThat makes {first} of 100.")
    show_missing(screen, design, attempt)
    show_answer(screen, design)
    screen.head("Grade again")
    grade(screen, rubric, attempt, FINAL, design)
    grades = attempt.grades(FINAL)
    percent = rubric.percent(grades, lost)
    show_result(screen, rubric, grades, first, percent, lost)
    attempt.record("end", percent=percent, first=first)
    return Outcome(
        item=design.id,
        percent=percent,
        seconds=attempt.elapsed(),
        first=first,
        missed=missed(design, rubric, grades),
        follow_ups=unanswered(design, attempt),
    )


def show_pace(screen: Screen, rubric: Rubric, attempt: Attempt) -> None:
    """How long each phase took."""
    screen.head("Pace")
    spent = attempt.spent()
    for phase in rubric.phases:
        took = spent.get(phase.key, 0)
        price = "  -1 point" if took > phase.seconds + rubric.grace else ""
        screen.say(f"- {phase.en}: {minutes(took)} of {minutes(phase.seconds)}{price}")


def grade(screen: Screen, rubric: Rubric, attempt: Attempt, when: str, design: Design | None = None) -> None:
    """Ask for the grades that are not there yet; with a design, the first grade and the notes stand beside it."""
    for dimension in rubric.dimensions:
        if dimension.key in attempt.grades(when):
            continue
        before = attempt.grades(FIRST).get(dimension.key, 0)
        screen.say(f"\n{dimension.en} ({dimension.weight}), {dimension.zh}", style="bold")
        if design is None:
            marks = ("0", "2", "4", f"{HIGHEST}")
            screen.say("\n".join(f"- {mark}: {text}" for mark, text in zip(marks, dimension.anchors, strict=True)))
        else:
            _show_evidence(screen, design, dimension, attempt, before)
        chosen = _ask_grade(screen, "Grade (Enter: 0):" if design is None else f"Grade (Enter keeps {before}):", before)
        attempt.record("grade", when=when, dimension=dimension.key, grade=chosen)


def show_missing(screen: Screen, design: Design, attempt: Attempt) -> None:
    """Name what the notes do not mention and what they should not contain."""
    notes = as_words(attempt.notes())
    missing = [part for part in design.parts if not part.case.named_in(notes)]
    screen.head(f"Not in your notes: {len(missing)} of {len(design.parts)} parts")
    for part in missing:
        screen.say(f"- {part.case.name} ({part.dimension}): {design.fill(part.case.says)}")
    up = [flag for flag in design.red_flags if flag.is_up(notes)]
    screen.head(f"Red flags: {len(up)} of {len(design.red_flags)}")
    for flag in up:
        screen.say(f"- {flag.case.name}: {design.fill(flag.case.says)}")
    if not up:
        screen.say("None by their words; you alone know what you meant.")


def show_answer(screen: Screen, design: Design) -> None:
    """The model answer."""
    for headline, text in answer_sections(design):
        screen.head(f"Model answer: {headline}")
        screen.say(plain(text))


def show_result(screen: Screen, rubric: Rubric, grades: Mapping[str, int], first: int, percent: int, lost: int) -> None:
    """Points, verdict, level and what the two grades tell."""
    screen.head("Result")
    clock = f", {lost} lost to the clock" if lost else ""
    screen.say(f"{percent} of 100{clock}: {rubric.verdict(percent)}. Most dimensions reach: {rubric.level(grades)}.")
    gap = first - percent
    if gap:
        word = "more" if gap > 0 else "less"
        screen.say(f"Before the model answer you granted yourself {abs(gap)} points {word}.")
    else:
        screen.say("You judged yourself the same before and after.")


def missed(design: Design, rubric: Rubric, grades: Mapping[str, int]) -> tuple[str, ...]:
    """What the column of the design's level asks for in the dimensions that do not reach it."""
    column = {"staff": 3, "senior": 2}.get(design.level, 1)
    return tuple(f"{one.en}: {one.anchors[column]}" for one in rubric.below(grades, design.level))


def unanswered(design: Design, attempt: Attempt) -> tuple[str, ...]:
    """The deep dives that were asked and have no note."""
    if attempt.notes("dives"):
        return ()
    return tuple(design.fill(f"{dive.id}: {dive.ask}") for dive in design.dives if dive.id in attempt.dives())


def as_words(notes: list[str]) -> list[str]:
    """What was said and not asked, and once more with a space in ``25GB``, so that units are found as words."""
    notes = [note for note in notes if not note.endswith(("?", "？"))]
    return [*notes, *(re.sub(r"(?<=\d)(?=[A-Za-z])", " ", note) for note in notes)]


def plain(text: str) -> str:
    """Without the small print's tags, for a terminal."""
    return text.replace("<small>", "").replace("</small>", "")


def _show_evidence(screen: Screen, design: Design, dimension: Dimension, attempt: Attempt, before: int) -> None:
    """How many of the expected parts the notes have, and a word where the grade says more."""
    parts = [part for part in design.parts if part.dimension == dimension.key]
    named = sum(part.case.named_in(as_words(attempt.notes())) for part in parts)
    screen.say(f"{named} of {len(parts)} parts in your notes; you granted {before}.")
    if (before >= 4 and named < HALF * len(parts)) or (before >= 2 and parts and not named):
        screen.say("That is generous: what is not in the notes was said aloud, or not at all.")


def _ask_grade(screen: Screen, prompt: str, default: int) -> int:
    while line := screen.ask(prompt):
        if line.isascii() and line.isdigit() and int(line) <= HIGHEST:
            return int(line)
        screen.say(f"A whole number from 0 to {HIGHEST}.")
    return default
