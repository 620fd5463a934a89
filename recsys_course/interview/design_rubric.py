"""The clock and the rubric that all designs share, read from ``bank/design/rubric.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import yaml

from recsys_course.interview.bank import BANK

HIGHEST = 5  # 4 and the point beyond
COLUMNS = {"staff": 5, "senior": 4, "mid": 2}  # the grade from which on a level's column is met


@dataclass(frozen=True)
class Phase:
    """One phase of the clock.

    Attributes:
        seconds: how long it should take.
        ask: what the interviewer says at its start; ask_zh in Chinese.
    """

    key: str
    seconds: float
    en: str
    zh: str
    ask: str
    ask_zh: str


@dataclass(frozen=True)
class Dimension:
    """One dimension of the rubric.

    Attributes:
        weight: its points in 100.
        anchors: what 0, 2, 4 and the point beyond look like.
    """

    key: str
    weight: int
    en: str
    zh: str
    anchors: tuple[str, str, str, str]


@dataclass(frozen=True)
class Rubric:
    """Clock and rubric.

    Attributes:
        grace: seconds over in a phase before it costs a point.
        verdicts: percent from which on, and what it means; highest first.
    """

    grace: float
    phases: tuple[Phase, ...]
    dimensions: tuple[Dimension, ...]
    verdicts: tuple[tuple[int, str], ...]

    @property
    def seconds(self) -> float:
        """The whole clock."""
        return sum(phase.seconds for phase in self.phases)

    def scaled(self, minutes: float) -> "Rubric":
        """The same phases in so many minutes altogether, with the same share of grace."""
        share = minutes * 60 / self.seconds
        phases = tuple(replace(phase, seconds=phase.seconds * share) for phase in self.phases)
        return replace(self, grace=self.grace * share, phases=phases)

    def lost(self, spent: Mapping[str, float]) -> int:
        """Points lost to the clock: one for each phase that took longer than its time and the grace."""
        return sum(spent.get(phase.key, 0) > phase.seconds + self.grace for phase in self.phases)

    def percent(self, grades: Mapping[str, int], lost: int = 0) -> int:
        """Points of 100 for grades from 0 to 5 by dimension, after those lost to the clock.

        >>> load_rubric().percent({"ranking": 4, "monitoring": 2}, lost=1)
        19
        """
        points = sum(grades.get(one.key, 0) * one.weight / 4 for one in self.dimensions)
        return max(0, round(min(points, 100)) - lost)

    def verdict(self, percent: int) -> str:
        """What so many points mean."""
        return next(says for least, says in self.verdicts if percent >= least)

    def level(self, grades: Mapping[str, int]) -> str:
        """The highest level whose column more than half of the dimensions meet."""
        for name, least in COLUMNS.items():
            if 2 * sum(grades.get(one.key, 0) >= least for one in self.dimensions) > len(self.dimensions):
                return name
        return "below mid"

    def below(self, grades: Mapping[str, int], level: str) -> list[Dimension]:
        """The dimensions that do not meet the column of a level."""
        return [one for one in self.dimensions if grades.get(one.key, 0) < COLUMNS.get(level, 2)]


@cache
def load_rubric(bank: Path = BANK) -> Rubric:
    """The shared clock and rubric."""
    found = yaml.safe_load((bank / "design" / "rubric.yaml").read_text(encoding="utf-8"))
    phases = (Phase(seconds=60.0 * one.pop("minutes"), **one) for one in found["phases"])
    return Rubric(
        grace=60.0 * found["grace"],
        phases=tuple(phases),
        dimensions=tuple(Dimension(**one | {"anchors": tuple(one["anchors"])}) for one in found["dimensions"]),
        verdicts=tuple((one["percent"], one["says"]) for one in found["verdicts"]),
    )
