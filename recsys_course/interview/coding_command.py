"""``recsys-course code``: lists, opens, runs and hands in the coding tasks."""

from pathlib import Path

from recsys_course import learner
from recsys_course.interview import coding, coding_copy, session
from recsys_course.interview.layout import flow, wrap


def code(
    task: str | None,
    public: bool = False,
    submit: bool = False,
    reference: bool = False,
    again: bool = False,
    talk: int | None = None,
    yes: bool = False,
) -> int:
    """Do what the options say; returns the exit status, 1 where a test failed."""
    if task is None:
        print(coding.tasks())
        print("\nrecsys-course code W01 opens one.")
        return 0
    found = coding.load(task)
    if talk is not None and not submit:
        raise coding.CodingError(f"--talk goes with --submit: `recsys-course code {found.id} --submit --talk {talk}`")
    if reference:
        return _reference(found, yes)
    course = learner.find_course()
    try:
        return _try(course, found, submit, talk) if public or submit else _open(course, found, again)
    except OSError as error:
        where = error.filename or "the learner's record"
        raise coding.CodingError(
            f"{where} cannot be written or read ({error.strerror}): mend that, try again"
        ) from error


def _open(course: Path, task: coding.Task, again: bool) -> int:
    if again and (moved := coding_copy.back_up(course, task)):
        print(moved)
    session.open_(task.id, task.rev, again=again)
    print(flow(task.statement()))
    print(f"\n{wrap(coding_copy.hand_out(course, task))}", flush=True)
    if problem := coding_copy.open_in_editor(coding_copy.path_of(course, task)):
        print(wrap(problem))
    print(wrap(f"Then: recsys-course code {task.id} --run, and --submit to hand in."))
    return 0


def _try(course: Path, task: coding.Task, submit: bool, talk: int | None) -> int:
    source, edges, complexity = coding_copy.read(course, task)
    if coding_copy.is_untouched(course, task):  # else a look at the tests would cost the points for edge cases
        name = coding_copy.path_of(course, task).relative_to(course).as_posix()
        raise coding.CodingError(f"{name} is as it was handed out, so nothing was run: write your answer first")
    if submit:
        result = coding.submit(task.id, source, edge_cases=edges, complexity=complexity, talk=talk)
    else:
        result = coding.run(task.id, source, edge_cases=edges, complexity=complexity)
    print(result)
    if submit:
        print(f"\nrecsys-course code {task.id} --reference shows a right answer.")
        if talk is None:
            print(wrap("Grade readability and talking yourself: `--submit --talk 7`, from 0 to 10."))
    return 0 if result.green else 1


def _reference(task: coding.Task, yes: bool) -> int:
    try:
        print(coding.reference(task.id, sure=yes), end="")
    except coding.CodingError:
        hint = f"`recsys-course code {task.id} --submit` first, or --reference --yes to see it all the same"
        raise coding.CodingError(f"no answer to {task.id} was handed in yet: {hint}") from None
    return 0
