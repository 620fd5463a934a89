"""What the practice's subcommands of ``recsys-course`` do; what one needs is imported inside it."""

from datetime import date

from recsys_course.commands import UserError


def code(**options: object) -> int:
    """List, open, run or hand in a coding task."""
    from recsys_course.interview import coding_command

    return coding_command.code(**options)


def drill(topic: str = "", limit: int | None = None, lang: str = "both", interview: str | None = None) -> None:
    """Go through today's cards of the interview practice."""
    from recsys_course.interview import drill, reviews
    from recsys_course.interview.screen import Screen

    if interview is not None:
        reviews.set_interview(_interview_day(interview))
    topics = {letter.strip().upper() for letter in topic.split(",") if letter.strip()}
    if unknown := topics - drill.all_topics():
        raise UserError(f"there is no topic {', '.join(sorted(unknown))}: {', '.join(sorted(drill.all_topics()))}")
    drill.drill(Screen(), topics, limit, lang)


def show(question: str, level: str | None = None) -> None:
    """Print a question with its answer."""
    from recsys_course.interview import bank, drill
    from recsys_course.interview.screen import Screen

    try:
        found = bank.load_question(question.upper())
    except bank.BankError as error:
        raise UserError(str(error)) from error
    screen = Screen()
    drill.show_prompt(screen, found, f"{found.minutes} min", "both")
    drill.show_answer(screen, found, level)


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
