"""``recsys-course mock``: sits a timed interview, goes on with one, or prints what an interviewer needs for it."""

import secrets

from recsys_course.interview import mock_state
from recsys_course.interview.debrief import RULES
from recsys_course.interview.mock_paper import LOOP_MINUTES, MINUTES, NAMES, Order, Paper
from recsys_course.interview.mock_state import Sitting
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.schedule import local_day
from recsys_course.interview.screen import Ended, Screen

COMMANDS = {"coding": "code", "debug": "debug"}
SEEDS = 10_000  # one that nobody has named is below


def mock(
    round: str | None = None,
    level: str | None = None,
    minutes: int | None = None,
    seed: int | None = None,
    role: str = "candidate",
    lang: str = "both",
    resume: bool = False,
    screen: Screen | None = None,
) -> int:
    """Do what the options say; returns the exit status.

    Args:
        round: None takes questions.
        level: None takes mid.
        minutes: None takes 45, and 120 for a loop.
        seed: None takes one by chance, which is shown.
        role: candidate or interviewer.
        lang: of the prompts.
        resume: go on with the mock that was interrupted.
        screen: None takes the terminal.

    Raises:
        PracticeError: what is asked for cannot be done.
    """
    screen, round = screen or Screen(), round or "concept"
    minutes = minutes or (LOOP_MINUTES if round == "loop" else MINUTES)
    order = Order(round, level or "mid", minutes, secrets.randbelow(SEEDS) if seed is None else seed)
    if role == "interviewer":
        print(script(_paper(order, resume), lang), end="")
        return 0
    from recsys_course.interview import mock as sitting

    found = _resumed() if resume else _begun(screen, order, lang)
    if found:
        sitting.sit(screen, found)
    return 0


def script(paper: Paper, language: str) -> str:
    """What an interviewer needs, as Markdown: running order, script of each part, scoring sheet."""
    from recsys_course.interview import packet

    ids = [part.id for part in paper.parts]
    return f"{_running_order(paper)}\n{packet.render(ids, 'interviewer', language).strip()}\n\n{_scoring_sheet(paper)}"


def _resumed() -> Sitting:
    if found := mock_state.unfinished():
        return found
    raise PracticeError("there is no unfinished mock: `recsys-course mock` begins one")


def _begun(screen: Screen, order: Order, language: str) -> Sitting | None:
    """A new mock, or the unfinished one where the learner prefers it; None where the learner leaves."""
    from recsys_course.interview import mock

    old = mock_state.unfinished()
    if old:
        wish = _wish(screen, old)
        if wish != "new":
            return old if wish == "resume" else None
    paper = mock.draw(order)  # where this fails, the old one stays
    if old:
        mock.close(screen, old)
    return mock_state.begin(paper, language)


def _wish(screen: Screen, old: Sitting) -> str:
    """``resume``, ``new`` or ``leave``."""
    order, day = old.paper.order, local_day(old.started)
    screen.say(
        f"The mock of {day} ({order.round}, {order.level}, seed {order.seed}) is not finished: {len(old.done)} of "
        f"{len(old.paper.parts)} parts are done. Enter goes on with it; new ends it here, with its debrief, and begins "
        "another; q leaves."
    )
    try:
        while line := screen.ask("Enter, new or q:"):
            if line == "new":
                return "new"
    except (Ended, KeyboardInterrupt):
        screen.say("Nothing has changed.")
        return "leave"
    return "resume"


def _paper(order: Order, resume: bool) -> Paper:
    """That of the unfinished mock where it is meant, else a drawn one."""
    from recsys_course.interview import mock

    old = mock_state.unfinished()
    if old and (resume or old.paper.order == order):
        return old.paper
    if resume:
        raise PracticeError("there is no unfinished mock whose script could be printed: leave --resume out")
    return mock.draw(order)


def _running_order(paper: Paper) -> str:
    order, start, rows = paper.order, 0, []
    for number, part in enumerate(paper.parts, 1):
        rows.append(f"| {number} | {part.id} | {NAMES[part.kind]} | {part.level} | {start} | {part.minutes} |")
        start += part.minutes
    lines = [
        f"# Mock interview, interviewer's part: {order.round}, {order.level}, seed {order.seed}",
        "",
        f"{start} of {order.minutes} minutes. Half of a question's minutes are for the answer, half for follow-ups.",
        *paper.notes,
        "The seed gives this paper with this machine's bank and history; a candidate's own machine may draw another. "
        "Ask from this script.",
        *_openings(paper),
        "",
        "| part | id | kind | level | begins at minute | minutes |",
        "| ---: | --- | --- | --- | ---: | ---: |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def _openings(paper: Paper) -> list[str]:
    """How the candidate opens what is worked on in files."""
    commands = [
        f"`recsys-course {COMMANDS[part.kind]} {part.id} --again`" for part in paper.parts if part.kind in COMMANDS
    ]
    return [f"For the tasks the candidate types {', '.join(commands)}."] if commands else []


def _scoring_sheet(paper: Paper) -> str:
    rows = [f"| {part.id} | {part.level} | {part.minutes} | | | |" for part in paper.parts]
    lines = [
        "# Scoring sheet",
        "",
        "Fill in the points of each part by its rubric, without looking at the candidate's own; a hint costs 10.",
        "",
        "| part | level | minutes | points of 100 | hints | points x minutes |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        f"Sum of the last column, divided by {paper.minutes}: ____ points.",
        "",
        *(f"- {rule}" for rule in RULES),
    ]
    return "\n".join(lines) + "\n"
