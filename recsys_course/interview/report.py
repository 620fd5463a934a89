"""What a run of somebody's answer comes to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseResult:
    """One test.

    Attributes:
        file: stem of the test file, such as ``"test_hidden"``.
        name: the function.
        title: what it shows, in words.
        edge: name of the edge case that it proves, or empty.
        safety: whether it is one of numerical or shape safety.
        outcome: ``"passed"``, ``"failed"``, ``"stopped"`` (a limit), ``"crashed"`` or ``"not run"``.
        message: what was wrong, in a sentence; empty where it passed.
        seconds: how long it ran.
    """

    file: str
    name: str
    title: str
    edge: str = ""
    safety: bool = False
    outcome: str = "not run"
    message: str = ""
    seconds: float = 0.0

    @property
    def green(self) -> bool:
        """Whether it passed."""
        return self.outcome == "passed"


@dataclass(frozen=True)
class GrowthResult:
    """How the work grew from ``n`` to ``4 n``.

    Attributes:
        ok: whether it grew no faster than the task allows; None where it could not be measured.
        by: what was measured, or why it could not be.
        n: the smaller size.
        ratio: the work at ``4 n`` divided by that at ``n``.
        limit: the ratio from which on it is too much.
    """

    ok: bool | None
    by: str
    n: int = 0
    ratio: float = 0.0
    limit: float = 0.0

    def __str__(self) -> str:
        if self.ok is None:
            return f"not measured: {self.by}"
        if not self.n:
            return self.by
        grew = f"from n = {self.n:,} to {4 * self.n:,} the {self.by} grew {self.ratio:.1f} times"
        return f"{grew}; up to {self.limit:.1f} times is in order"


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Attributes:
        cases: every test, in the order of the files.
        growth: where it was asked for.
        broken: why the answer could not be imported at all, or empty.
        printed: the beginning of what it printed.
        notes: which limits this machine can only watch.
        seconds: how long the run took.
    """

    cases: tuple[CaseResult, ...]
    growth: GrowthResult | None = None
    broken: str = ""
    printed: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def green(self) -> bool:
        """Whether every test passed and nothing grew too fast."""
        return all(case.green for case in self.cases) and (self.growth is None or self.growth.ok is True)
