"""What one part of a practice interview came to, whatever its round: the mock and the statistics read nothing else."""

from dataclasses import dataclass


class PracticeError(Exception):
    """What is wrong, in one sentence for the learner."""

    def _render_traceback_(self) -> list[str]:
        """All that a notebook shows of it."""
        return [str(self)]


@dataclass(frozen=True)
class Outcome:
    """One question, task or design, done once.

    Attributes:
        item: its id.
        percent: of its points in [0, 100], after the price of hints and of time.
        seconds: from the prompt to the end of the answer.
        hints: how many were taken.
        first: percent that the learner granted before the model answer was shown; None where tests decided.
        missed: what was not met, in the words of the rubric.
        follow_ups: questions that the interviewer would have asked because of what was missing, and that the learner
            could not answer.
    """

    item: str
    percent: int
    seconds: float
    hints: int = 0
    first: int | None = None
    missed: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()
