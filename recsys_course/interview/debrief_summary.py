"""The debrief of a mock interview in the terminal."""

from pathlib import Path

from recsys_course.interview.debrief import Debrief, Row
from recsys_course.interview.mock_paper import NAMES
from recsys_course.interview.screen import Screen, minutes

SHORT = 5  # missed points of a part; the page has all


def show(screen: Screen, found: Debrief, page: Path) -> None:
    """Print what a mock came to and where its page is."""
    screen.head("Debrief")
    if found.points is None:
        screen.say("No part was sat.")
    else:
        _points(screen, found)
        for row in found.rows:
            _row(screen, row)
        _next(screen, found)
    screen.say("\nThe page, for a browser:")
    screen.console.print(str(page), markup=False, soft_wrap=True)


def _points(screen: Screen, found: Debrief) -> None:
    wanted, sat = found.paper.order.level, f"{len(found.rows)} of {len(found.paper.parts)} parts"
    screen.say(f"{found.points} of 100 points: {found.verdict} at level {wanted} ({sat}).", style="bold")
    levels = "; ".join(f"{name} {points} ({number})" for name, points, number in found.levels)
    screen.say(f"Level reached: {found.level_reached}. Points by level (parts): {levels}.")
    screen.say(f"{minutes(found.seconds)} of {found.paper.minutes}:00 on the clock, hints: {found.hints}.")
    screen.say()


def _row(screen: Screen, row: Row) -> None:
    done = row.outcome
    first = "" if done.first is None else f", first grade {done.first}"
    screen.say(f"- {row.part.id} ({NAMES[row.part.kind]}, {row.part.level}): {done.percent} points{first}")
    for text in done.missed[:SHORT]:
        screen.say(f"- missed: {text}", indent=2)
    if len(done.missed) > SHORT:
        screen.say(f"- and {len(done.missed) - SHORT} more, on the page", indent=2)
    for text in done.follow_ups:
        screen.say(f"- not answered: {text}", indent=2)


def _next(screen: Screen, found: Debrief) -> None:
    screen.say()
    if found.tomorrow:
        ids = ", ".join(row.part.id for row in found.tomorrow)
        screen.say(f"Back tomorrow: {ids}. `recsys-course next` names what comes first.")
    if found.read:
        name, why = found.read[0]
        screen.say(f"Read next: {name}, {why}.")
