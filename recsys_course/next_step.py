"""The one thing to do now, from the course's notebooks and the learner's record."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from recsys_course import carry, learner

EXERCISE = re.compile(r"(?m)^### Exercise (\d+\.\d+) - (\w+) +\| +(\w+) +\| +(\d+) min")
BUG = re.compile(r"(?m)^## Spot the bug\b")
FIRST_EVENING = ("02.recall", "02.review")  # what the README promises for the evening of lesson 00


@dataclass(frozen=True)
class Step:
    """Something to do in a lesson.

    Attributes:
        id: lesson and function in lower case, such as ``01.long_tail_share``.
        title: as the lesson's heading has it, such as ``exercise 2.1, recall``.
        level: easy, medium, hard or stretch.
    """

    id: str
    title: str
    level: str
    minutes: int

    @property
    def lesson(self) -> str:
        """Two digits."""
        return self.id[:2]


def steps(course: Path) -> list[Step]:
    """All there is to do, in the order in which the course proposes it: stretch exercises come last.

    Raises:
        NotANotebook: a shipped notebook cannot be read.
    """
    found = [step for path in learner.shipped(course) for step in _steps_of(path)]
    return sorted(found, key=lambda step: (step.level == "stretch", step.lesson != "00", step.id not in FIRST_EVENING))


def next_step(course: Path, passed: Collection[str], lesson: str = "") -> str:
    """One sentence: what to do now.

    Args:
        course: top folder of the clone.
        passed: ids of the exercises that the learner has solved, with hyphens or underscores.
        lesson: its two digits, if only this one matters.
    """
    done = {id.replace("-", "_") for id in passed}
    step = next(
        (step for step in steps(course) if step.id not in done and step.lesson == (lesson or step.lesson)), None
    )
    if step is None:
        return "Every exercise is solved. `git pull`, then `recsys-course update`, brings what is new."
    copy = learner.current(course, step.lesson)
    if copy is None:
        return "Type `make lab`: it opens JupyterLab, and lesson 00 in it."
    stretch = ", a stretch: only if you like" if step.level == "stretch" else ""
    return f"Open my/{copy.name}, {step.title} ({step.minutes} min{stretch})."


def _steps_of(path: Path) -> list[Step]:
    lesson, found = path.name[:2], []
    for cell in carry.read(path)["cells"]:
        text = "".join(cell["source"])
        for number, name, level, minutes in EXERCISE.findall(text):
            found.append(Step(f"{lesson}.{name.lower()}", f"exercise {number}, {name}", level, int(minutes)))
        if BUG.search(text):
            found.append(Step(f"{lesson}.review", "spot the bug", "medium", 10))
    return found
