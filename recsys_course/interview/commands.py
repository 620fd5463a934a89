"""What the practice's subcommands of ``recsys-course`` do; what one needs is imported inside it."""

from datetime import date
from pathlib import Path

from recsys_course.commands import UserError


def code(**options: object) -> int:
    """List, open, run or hand in a coding task."""
    from recsys_course.interview import coding_command

    return coding_command.code(**options)


def debug(**options: object) -> int:
    """List, open, run or hand in a debugging task."""
    from recsys_course.interview import debug_command

    return debug_command.debug(**options)


def design(**options: object) -> int:
    """List the designs, or practise one against the clock."""
    from recsys_course.interview import design_command

    return design_command.design(**options)


def mock(**options: object) -> int:
    """Sit a timed interview, go on with one, or print the interviewer's script."""
    from recsys_course.interview import mock_command

    return mock_command.mock(**options)


def grade(**options: object) -> int:
    """Grade somebody's weak answer and compare with the reference."""
    from recsys_course.interview import grade_command

    return grade_command.grade(**options)


def plan(interview: str | None = None, weeks: int | None = None) -> None:
    """Show the plan until the interview, with dates; set the interview first where a date or a length is given."""
    from recsys_course.interview import plan_command, reviews
    from recsys_course.interview.screen import Screen

    if interview is not None or weeks is not None:
        reviews.set_interview(_interview_day(interview) if interview else reviews.interview_day(), weeks)
    plan_command.show(Screen(), date.today())


def next_() -> str | None:
    """What of the practice comes before the next exercise of a lesson; None where nothing does."""
    from recsys_course.interview import drill, plan

    if practice := drill.next_practice():
        return practice
    if step := plan.next_in_plan():
        from recsys_course.interview import plan_command

        return plan_command.sentence(step)
    return None


def stats() -> None:
    """Show what was practised, how well, and how well one judges oneself."""
    from recsys_course.interview import stats
    from recsys_course.interview.screen import Screen

    stats.show(Screen())


def export_anki(path: Path, lang: str = "both") -> None:
    """Write the questions as a deck for Anki."""
    from recsys_course.interview import anki

    print(anki.export(path, lang))


def export_packet(ids: str, path: Path, role: str = "candidate", lang: str = "both") -> None:
    """Write questions, tasks and designs as a page for a candidate or an interviewer."""
    from recsys_course.interview import packet

    print(packet.export(ids, path, role, lang))


def drill(
    topic: str = "",
    limit: int | None = None,
    lang: str = "both",
    interview: str | None = None,
    estimates: bool = False,
    new: int | None = None,
) -> None:
    """Go through today's cards of the interview practice, or its estimation drills."""
    from recsys_course.interview import drill, reviews, schedule
    from recsys_course.interview.screen import Screen

    if interview is not None:
        reviews.set_interview(_interview_day(interview), reviews.interview() and reviews.interview().weeks)
    if estimates:
        from recsys_course.interview import estimates as estimation

        estimation.drill(Screen(), limit, lang)
        return
    topics = {letter.strip().upper() for letter in topic.split(",") if letter.strip()}
    if unknown := topics - drill.all_topics():
        raise UserError(f"there is no topic {', '.join(sorted(unknown))}: {', '.join(sorted(drill.all_topics()))}")
    drill.drill(Screen(), topics, limit, lang, new=schedule.NEW_A_DAY if new is None else new)


def show(name: str, level: str | None = None) -> None:
    """Print a question or an estimate with its answer, a design, or a term."""
    from recsys_course.interview import show_command
    from recsys_course.interview.screen import Screen

    show_command.show(Screen(), name, level)


def _interview_day(text: str) -> date | None:
    if text == "none":
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UserError(f"the interview's date must be like 2026-12-24, or none to forget it, got {text!r}") from None
    if day < date.today():
        raise UserError(f"{day} is over: give the date of an interview that is still to come")
    return day
