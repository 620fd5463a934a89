"""``recsys-course more plan``: the days until the interview, and what of it is done."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter

from recsys_course import learner, next_step
from recsys_course.interview import coding, debugging, designs, plan, reviews
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.plan import Step
from recsys_course.interview.screen import Screen, minutes

LONGEST = 180  # minutes that a plan has for one day


def show(screen: Screen, today: date) -> None:
    """Print the plan for the interview that was set.

    Raises:
        PracticeError: none was set, or it is over.
    """
    interview, steps = reviews.interview(), plan.mine(today)
    if interview is None or not steps:
        raise PracticeError(
            "no interview is ahead: `recsys-course more plan --interview 2026-12-24` (its day) makes a plan"
        )
    hours, left = sum(step.minutes for step in steps) / 60, (interview.day - today).days
    when = {0: "today", 1: "tomorrow"}.get(left, f"{left} days from now")
    screen.say(f"Interview on {_day(interview.day)}, {when}. {hours:.0f} hours in all.", style="bold")
    if steps[0].day > today:
        screen.say(f"The plan begins on {_day(steps[0].day)}. Until then: the lessons, `recsys-course next`.")
    states = dict(zip(steps, plan.done(steps, plan.record()), strict=True))
    for day, group in groupby(steps, attrgetter("day")):
        _show_day(screen, day, today, [(step, states[step]) for step in group])
    screen.say("\n[x] done, [ ] to do, [-] its day is over. `recsys-course next` names the one thing to do now.")


def sentence(step: Step) -> str:
    """What to type or open for a step, and how long it takes."""
    if step.kind == "lesson":
        passed = plan.record().passed
        return next_step.next_step(learner.find_course(), passed, lesson=step.what)
    return f"Type `recsys-course {_typed(step)}`: {title(step)} ({step.minutes} min, for {_day(step.day)})."


def title(step: Step) -> str:
    """What a step is, in words."""
    if step.kind == "lesson":
        name = next(
            (path.stem[3:] for path in learner.shipped(learner.find_course()) if path.name[:2] == step.what), ""
        )
        return f"lesson {step.what}, {name.replace('_', ' ')}"
    if step.kind in ("code", "debug", "design"):
        load = {"code": coding.load, "debug": debugging.load, "design": designs.load}[step.kind]
        return f"{step.kind} {step.what}, {load(step.what).title}"
    words = {"drill": "today's questions", "estimates": "capacity estimates", "grade": "a weak answer to grade"}
    return words.get(step.kind) or f"mock interview, {step.what}"


def _typed(step: Step) -> str:
    options = {"estimates": "drill --estimates", "mock": f"mock --round {step.what} --minutes {step.minutes}"}
    return options.get(step.kind, step.title)


def _show_day(screen: Screen, day: date, today: date, steps: Sequence[tuple[Step, bool]]) -> None:
    total = sum(step.minutes for step, _ in steps)
    screen.say(f"\n{_day(day)}, {minutes(60 * total)[:-3]} min{' (today)' if day == today else ''}", style="bold")
    for step, is_done in steps:
        lost = not is_done and step.kind in plan.DAILY and day < today
        mark = "[x]" if is_done else "[-]" if lost else "[ ]"
        screen.console.print(f"  {mark} {step.minutes:>3} min  {title(step)}", markup=False)
    if total > LONGEST:
        screen.say("The days before this one are over. That is more than one day holds: leave out what you know best.")


def _day(day: date) -> str:
    """``Mon 23 Nov``, in English whatever the locale."""
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{names[day.weekday()]} {day.day} {months[day.month - 1]} {day.year}"
