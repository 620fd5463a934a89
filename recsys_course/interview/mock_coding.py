"""A coding task in a mock interview: a fresh copy, the clock, one hand-in, and the interviewer's questions."""

from pathlib import Path

from recsys_course.interview import coding, coding_copy, session
from recsys_course.interview.coding import CodingError, Task
from recsys_course.interview.coding_result import FULL_EDGES, Result
from recsys_course.interview.layout import flow, wrap
from recsys_course.interview.mock_paper import Part
from recsys_course.interview.mock_state import Sitting
from recsys_course.interview.outcome import Outcome
from recsys_course.interview.screen import Screen, minutes

WITHOUT_TALK = 90  # points that a submission can have without the learner's own


def sit(screen: Screen, part: Part, sitting: Sitting, course: Path) -> Outcome:
    """Open the copy, wait, hand in; the review is recorded by the coding round.

    Args:
        screen: where to.
        part: the task.
        sitting: what is in its progress already is not done again.
        course: top folder of the clone, where ``my/`` is.

    Raises:
        CodingError: the task is not there any more, or the copy cannot be written.
        Ended: the learner left; the copy stays.
    """
    task = coding.load(part.id)
    _show(screen, task, sitting.language)
    if "percent" not in sitting.progress:
        _open(screen, task, sitting, course)
        _work(screen, task, part, sitting, course)
    if "open" not in sitting.progress:
        sitting.keep(open=_probes(screen, task))
    kept = sitting.progress
    probes = tuple(task.probes[number - 1][0] for number in kept["open"])
    return Outcome(part.id, kept["percent"], kept["spent"], missed=tuple(kept["missed"]), follow_ups=probes)


def _show(screen: Screen, task: Task, language: str) -> None:
    screen.say(f"{task.id}, {task.level}, {task.minutes} min: {task.title} {task.title_zh}", style="bold")
    screen.say()
    if language != "zh" or not task.prompt_zh:
        screen.console.print(flow(task.prompt), markup=False)
    if language != "en":
        screen.console.print(f"\n{flow(task.prompt_zh) or '(no Chinese prompt yet)'}", markup=False)
    screen.console.print(f"\nExamples\n\n{task.examples}\n", markup=False)


def _open(screen: Screen, task: Task, sitting: Sitting, course: Path) -> None:
    """A fresh copy at the first time, the one in work afterwards."""
    if not sitting.progress.get("opened"):
        if moved := coding_copy.back_up(course, task):
            screen.say(moved)
        session.open_(task.id, task.rev, again=True)
    screen.say(coding_copy.hand_out(course, task))
    sitting.keep(opened=True)
    if problem := coding_copy.open_in_editor(coding_copy.path_of(course, task)):
        screen.say(problem)


def _work(screen: Screen, task: Task, part: Part, sitting: Sitting, course: Path) -> None:
    """Until something is handed in; what was spent is kept, whatever ends it."""
    before, start = sitting.progress.get("spent", 0.0), screen.clock()
    seconds = max(60.0 * part.minutes - before, 60.0)
    screen.say(
        f"You have {minutes(seconds)}. Name the edge cases in the file before the first run; talk while you write."
    )
    try:
        with screen.countdown(seconds):
            _wait(screen, task, course)
    finally:
        sitting.keep(spent=round(before + screen.clock() - start, 1))
    talk = _talk(screen)
    source, edges, complexity = coding_copy.read(course, task)
    sitting.keep(lines=source.splitlines())
    result = coding.submit(task.id, source, edge_cases=edges, complexity=complexity, talk=talk)
    screen.console.print(str(result), markup=False)
    sitting.keep(percent=percent(result), missed=missed(result))


def _wait(screen: Screen, task: Task, course: Path) -> None:
    """Run the public tests as often as wanted; return when a copy is there to be handed in."""
    while True:
        line = screen.ask("Enter hands in, r runs the public tests, q stops:")
        try:
            source, edges, complexity = coding_copy.read(course, task)
        except CodingError as error:
            screen.say(f"{error}.")
            continue
        if not line:
            return
        if line == "r":
            screen.console.print(
                str(coding.run(task.id, source, edge_cases=edges, complexity=complexity)), markup=False
            )


def _talk(screen: Screen) -> int | None:
    while line := screen.ask("Your own points for readability and talking, 0 to 10 (Enter: none):"):
        if line.isdecimal() and int(line) <= 10:
            return int(line)
        screen.say("A number from 0 to 10.")
    return None


def _probes(screen: Screen, task: Task) -> list[int]:
    """Numbers of the interviewer's questions that the learner could not answer."""
    most = len(task.probes)
    prompt = "Which of these questions could you not answer, 1 for the first (Enter: none)?"
    while words := screen.ask(prompt).replace(",", " ").split():
        if all(word.isdecimal() and 1 <= int(word) <= most for word in words):
            return sorted({int(word) for word in words})
        screen.say(wrap(f"Numbers from 1 to {most}, with spaces between them."))
    return []


def percent(result: Result) -> int:
    """The points of a submission of 100, also where the learner gave none for talking."""
    score = result.score
    return score.total if score.talk is not None else round(100 * score.total / WITHOUT_TALK)


def missed(result: Result) -> list[str]:
    """What cost points, in words."""
    found = [case.title for case in result.report.cases if not case.green]
    wanted = min(FULL_EDGES, len(result.edges))
    if len(result.named) < wanted:
        found.append(f"names {wanted} edge cases before the first run ({len(result.named)} named)")
    if not result.right:
        found.append(f"states the complexity {result.expected}")
    if result.growth is None or not result.growth.ok:
        found.append(f"its work grows no faster than {result.expected}")
    return found
