"""A debugging task in a terminal: hand in, grade the explanation before and after the model's, see the score."""

from pathlib import Path

from recsys_course import learner
from recsys_course.interview import copies, debugging, debugging_copy, session
from recsys_course.interview.debugging_result import Result, rubric
from recsys_course.interview.debugging_task import Task
from recsys_course.interview.layout import flow, wrap
from recsys_course.interview.outcome import Outcome, PracticeError
from recsys_course.interview.screen import Ended, Screen


def hand_in(screen: Screen, course: Path, task: Task) -> Result:
    """Run the copy, have the explanation graded, show everything and record it.

    Where the input ends before a grade, the explanation has none and the rest counts.

    Raises:
        PracticeError: the copy is not there or cannot be read.
    """
    attempt = debugging_copy.read(course, task)
    show(screen, "Running your fix and your test ...")
    result = debugging.check(task, attempt.marks, attempt.code, attempt.test, attempt.explanation)
    first = _grade_first(screen, result)
    show(screen, f"\n{result.review()}\n")
    final = None if first is None else _numbers(screen, task, f"Now that you have seen it ({_kept(first)}):", first)
    result = debugging.regraded(result, first, final)
    debugging.keep(result)
    show(screen, f"\n{result.scores()}")
    return result


def sit(screen: Screen, task: Task, minutes: float, language: str = "both", again: bool = True) -> Outcome:
    """One task as a part of a mock interview.

    Args:
        screen: where to.
        task: which one.
        minutes: that the clock gives.
        language: of the report: en, zh or both.
        again: begin afresh, an older copy goes to the backup; else go on where the learner left.

    Raises:
        Ended: the learner left before handing in; the files stay.
    """
    course = learner.find_course()
    if again and (moved := debugging_copy.back_up(course, task)):
        show(screen, moved)
    session.open_(task.id, task.rev, again=again)
    show(screen, flow(task.statement(language)))
    show(screen, f"\n{wrap(debugging_copy.hand_out(course, task))}")
    if problem := copies.open_in_editor(*debugging_copy.files_of(course, task)):
        show(screen, wrap(problem))
    result, seconds = _wait(screen, course, task, minutes)
    follow_ups = _probe(screen, task)
    before = None if result.first is None else result.score_by(result.first).total
    return Outcome(task.id, result.score.total, seconds, result.hints, before, result.missed, follow_ups)


def show(screen: Screen, text: str) -> None:
    """Print lines that are broken already."""
    screen.console.print(text, markup=False, soft_wrap=True)


def _wait(screen: Screen, course: Path, task: Task, minutes: float) -> tuple[Result, float]:
    """Give hints until the learner hands in something that can be read; returns the result and the seconds it took."""
    start, seconds = screen.clock(), 0.0
    while True:
        with screen.countdown(max(60 * minutes - seconds, 1.0)):
            while screen.ask("\nEnter: hand in. h: a hint. q: stop. >") == "h":
                show(screen, debugging.hint(task.id))
        seconds = screen.clock() - start
        try:
            return hand_in(screen, course, task), seconds
        except PracticeError as error:
            show(screen, wrap(str(error)))


def _grade_first(screen: Screen, result: Result) -> tuple[int, ...] | None:
    """The learner's grade before the model explanation is shown; None where there is nothing to grade."""
    if not result.explanation:
        show(screen, wrap("There is no explanation in review.md: no points for the mechanism."))
        return None
    screen.head("What you wrote")
    show(screen, flow(result.explanation))
    screen.head("Which of these does it say?")
    show(screen, "\n".join(rubric(result.task)))
    return _numbers(screen, result.task, "Their numbers, such as 1 3 (Enter: none):", ())


def _numbers(screen: Screen, task: Task, prompt: str, default: tuple[int, ...]) -> tuple[int, ...] | None:
    """Numbers of points, the default for an empty line; None where the input ends before there is a grade."""
    most = len(task.mechanism)
    try:
        while line := screen.ask(prompt):
            words = line.replace(",", " ").split()
            if words == ["0"]:
                return ()
            if all(word.isdecimal() and 1 <= int(word) <= most for word in words):
                return tuple(sorted({int(word) for word in words}))
            screen.say(f"Numbers from 1 to {most}, with spaces between them; 0 for none.")
    except Ended:
        return default or None
    return default


def _kept(first: tuple[int, ...]) -> str:
    return f"0: none, Enter keeps {' '.join(map(str, first)) or 'none'}"


def _probe(screen: Screen, task: Task) -> tuple[str, ...]:
    """Ask what an interviewer asks next; returns the questions that the learner could not answer."""
    open_ = []
    screen.head("The interviewer goes on")
    try:
        for ask, expect in task.probes:
            screen.ask(f"\n{wrap(ask, first='? ', indent='  ')}\nAnswer aloud, then Enter >")
            show(screen, wrap(f"-> {expect}", indent="     ", first="  "))
            if not screen.ask("Did you say it? y or Enter for no >").lower().startswith("y"):
                open_.append(ask)
    except Ended:
        pass
    return tuple(open_)
