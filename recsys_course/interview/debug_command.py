"""``recsys-course debug``: lists, opens, runs and hands in the debugging tasks."""

from pathlib import Path

from recsys_course import learner
from recsys_course.interview import copies, debugging, debugging_copy, debugging_run, session
from recsys_course.interview.coding_result import probe_lines
from recsys_course.interview.debugging_result import test_lines
from recsys_course.interview.debugging_task import Task
from recsys_course.interview.layout import flow, wrap
from recsys_course.interview.outcome import PracticeError


def debug(
    task: str | None,
    test: bool = False,
    submit: bool = False,
    reference: bool = False,
    again: bool = False,
    hint: bool = False,
    yes: bool = False,
) -> int:
    """Do what the options say; returns the exit status, 1 where a test or the fix is not what it should be."""
    if task is None:
        print(debugging.tasks())
        print("\nrecsys-course debug X02 opens one.")
        return 0
    found = debugging.load(task)
    try:
        if reference:
            return _reference(found, yes)
        if hint:
            print(debugging.hint(found.id))
            return 0
        course = learner.find_course()
        if submit:
            return _submit(course, found)
        return _run(course, found) if test else _open(course, found, again)
    except OSError as error:
        where = error.filename or "the learner's record"
        raise PracticeError(f"{where} cannot be written or read ({error.strerror}): mend that, try again") from error


def _open(course: Path, task: Task, again: bool) -> int:
    if again and (moved := debugging_copy.back_up(course, task)):
        print(moved)
    session.open_(task.id, task.rev, again=again)
    print(flow(task.statement()))
    print(f"\n{wrap(debugging_copy.hand_out(course, task))}", flush=True)
    if problem := copies.open_in_editor(*debugging_copy.files_of(course, task)):
        print(wrap(problem))
    print(wrap(f"Then: recsys-course debug {task.id} --run, --hint, and --submit to hand in."))
    return 0


def _run(course: Path, task: Task) -> int:
    """The learner's test on the code as found and on the learner's code, and what `symptom` prints now."""
    attempt = debugging_copy.read(course, task)
    session.open_(task.id, task.rev)
    test = debugging_run.try_test(task, attempt.test, attempt.code, everywhere=False)
    print("Your test")
    print("\n".join(test_lines(test)))
    report = debugging_run.symptom(attempt.code)
    print("\nYour code now prints")
    print("\n".join(f"  {line}" for line in report.printed.splitlines()) or "  nothing")
    if not report.green:
        print(wrap(report.broken or report.cases[0].message, indent="  ", first="✗ "))
    return 0 if test.before and not test.before.green and test.own.green else 1


def _submit(course: Path, task: Task) -> int:
    from recsys_course.interview import debugging_sit
    from recsys_course.interview.screen import Screen

    if debugging_copy.is_untouched(course, task):  # handing in shows every answer
        name = debugging_copy.folder_of(course, task).relative_to(course).as_posix()
        raise PracticeError(f"{name}/ is as it was handed out, so nothing was handed in: mark, explain or mend first")
    result = debugging_sit.hand_in(Screen(), course, task)
    print("\n" + "\n".join(probe_lines(task.probes)))
    print(f"\nrecsys-course debug {task.id} --reference shows a right fix and its test.")
    return 0 if result.fix.green and result.test.tells else 1


def _reference(task: Task, yes: bool) -> int:
    try:
        print(debugging.reference(task.id, sure=yes), end="")
    except PracticeError:
        hint = f"`recsys-course debug {task.id} --submit` first, or --reference --yes to see it all the same"
        raise PracticeError(f"no review of {task.id} was handed in yet: {hint}") from None
    return 0
