"""``recsys-course show``: a question or an estimate with its answer, a design, or a term in both languages."""

import re

from recsys_course.interview import bank, drill
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import Screen


def show(screen: Screen, name: str, level: str | None = None) -> None:
    """Print what a name stands for.

    Args:
        screen: where to.
        name: id of a question, an estimate or a design, or a term in English or Chinese.
        level: of a question's answer; None takes the question's own.

    Raises:
        PracticeError: there is nothing of that name, or it is a task, which is shown when it is opened.
    """
    for pattern, show_one in BY_ID.items():
        if re.fullmatch(pattern, name.strip(), re.IGNORECASE):
            show_one(screen, name.strip().upper(), level)
            return
    _term(screen, name)


def _question(screen: Screen, name: str, level: str | None) -> None:
    try:
        found = bank.load_question(name)
    except bank.BankError as error:
        raise PracticeError(str(error)) from None
    drill.show_prompt(screen, found, f"{found.minutes} min", "both")
    drill.show_answer(screen, found, level)
    drill.show_follow_ups(screen, found)


def _estimate(screen: Screen, name: str, _: str | None) -> None:
    from recsys_course.interview import estimate_bank

    found = estimate_bank.load(name)
    head = f"{found.id}, {found.title}, {found.level}"
    screen.say("\n\n".join((head, found.prompt, found.prompt_zh, estimate_bank.steps_markdown(found))))


def _design(screen: Screen, name: str, _: str | None) -> None:
    from recsys_course.interview import design_command

    design_command.design(name, show=True, screen=screen)


def _task(screen: Screen, name: str, _: str | None) -> None:
    command = "code" if name[0] == "W" else "debug"
    raise PracticeError(f"{name} is a task to solve: `recsys-course {command} {name}` opens it")


def _answer(screen: Screen, name: str, _: str | None) -> None:
    id = f"{name[:-1]}{name[-1].lower()}"
    raise PracticeError(f"{id} is an answer to grade: `recsys-course grade {id}` shows it")


def _term(screen: Screen, name: str) -> None:
    from recsys_course.interview import glossary

    found = glossary.look_up(name)
    if not found:
        known = "ids are such as C03, EST02 or SD1, terms such as retrieval or 召回"
        raise PracticeError(f"there is no question, task or term {name!r}: {known}")
    for term in found:
        screen.say(f"{', '.join((term.english, *term.also_english))}", style="bold")
        screen.say("、".join((term.chinese, *term.also_chinese)))
        screen.say(f"{term.meaning}. See {', '.join(term.see)}.\n")


BY_ID = {
    r"[A-P]\d\d": _question,
    r"EST\d\d": _estimate,
    r"SD\d": _design,
    r"[WX]\d\d": _task,
    r"[A-P]\d\d\.[a-z]": _answer,
}
