"""The estimation drills, read from ``bank/estimates.yaml``: what is asked, how it is computed, how people go wrong.

No result is written in the file: the steps are computed by `recsys_course.interview.capacity` when they are needed.
"""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from recsys_course.interview import capacity
from recsys_course.interview.bank import BANK
from recsys_course.interview.capacity import CapacityError, Step
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.quantity_text import number, unit_text

if TYPE_CHECKING:
    from pint import Quantity

FILE = "estimates.yaml"
PHYSICAL = ("[byte]", "[second]", "[FLOP]")  # what an answer must name; users or items may be left out
A_DAY = re.compile(r"(?:/|\ba|\bper)\s*days?\b|每天|/\s*[天日]")
RIGHT, NEAR, WRONG = "right", "near", "wrong"
SAME = 1.1  # a result within this of a wrong formula's came from it
EXACT = 1.005
GENERAL = (
    (1000, "A factor of 1,000 too much: one prefix or one thousand too many."),
    (1 / 1000, "A factor of 1,000 too little: one prefix or one thousand too few."),
    (86_400, "That is off by the seconds of a day: a day was taken for a second."),
    (1 / 86_400, "That is off by the seconds of a day: a second was taken for a day."),
)
BITS = ((8, "A factor of eight: bits were taken for bytes."), (1 / 8, "A factor of eight: bytes were taken for bits."))


@dataclass(frozen=True)
class Verdict:
    """What a number is worth.

    Attributes:
        kind: ``right`` within the factor, ``near`` within its square, or ``wrong``.
        times: how many times the exact number it is.
        says: one or two sentences for the learner.
        known: whether it is a mistake that has a name.
    """

    kind: str
    times: float
    says: str
    known: bool = False


@dataclass(frozen=True)
class Estimate:
    """One drill.

    Attributes:
        given: lines of arithmetic with the numbers of the prompt.
        steps: lines of arithmetic and why each is as it is; the last is the answer.
        factor: an answer within it is right.
        mistakes: formulas that give a common wrong answer, and what it gives away.
        remember: what to keep.
        questions: of the bank, to read.
        lesson: its two digits.
    """

    id: str
    rev: int
    title: str
    title_zh: str
    level: str
    prompt: str
    prompt_zh: str
    zh_status: str
    given: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    factor: float
    mistakes: tuple[tuple[str, str], ...]
    remember: str
    questions: tuple[str, ...]
    lesson: str

    @cached_property
    def facts(self) -> list[Step]:
        """The numbers of the prompt."""
        return capacity.compute(self.given)

    @cached_property
    def computed(self) -> list[Step]:
        """The steps with their values."""
        return capacity.compute((line for line, _ in self.steps), {fact.name: fact.value for fact in self.facts})

    @property
    def answer(self) -> Step:
        """The last step."""
        return self.computed[-1]

    @property
    def unit(self) -> str:
        """What the answer is shown in, such as ``GB``."""
        return self.answer.shown.split()[-1]

    @cached_property
    def wrong(self) -> list[tuple["Quantity", str]]:
        """Common wrong answers and what each gives away."""
        known = {step.name: step.value for step in (*self.facts, *self.computed)}
        return [(capacity.evaluate(formula, known), says) for formula, says in self.mistakes]

    def read(self, text: str) -> "Quantity":
        """Read what a learner types; users or items that go without saying may be left out, or said.

        Raises:
            CapacityError: it is no number, or its units are not those of the answer.
        """
        quantity, truth = capacity.parse_quantity(text), self.answer.value
        if quantity.dimensionality == truth.dimensionality:
            if not truth.dimensionality and quantity.magnitude > 1:
                raise CapacityError("a share is at most 1, type it like 50 % or 0.5")
            return quantity
        if "day" in self.prompt and A_DAY.search(text):  # what one day comes to, said as a rate
            quantity = quantity * capacity.evaluate("1 day", {})
        if _same_but_for_counts(dict(quantity.dimensionality), dict(truth.dimensionality), self.prompt):
            return truth * (quantity.to_base_units().magnitude / truth.to_base_units().magnitude)
        if not quantity.dimensionality:
            raise CapacityError(f"{number(quantity.magnitude)} of what? Type the unit too, such as {self.unit}")
        raise CapacityError(f"the answer is in {unit_text(quantity)}, wanted is {unit_text(truth)}")

    def judge(self, quantity: "Quantity") -> Verdict:
        """Compare an answer with the exact number and with the common wrong ones."""
        times = capacity.ratio(quantity, self.answer.value)
        if times <= 0:
            return Verdict(WRONG, times, "Nothing here can be zero or less.")
        if within(times, self.factor):
            return Verdict(RIGHT, times, f"Right: {how_far(times)}.{self._binary(times)}")
        kind = NEAR if within(times, self.factor**2) else WRONG
        says = self._named(quantity, times)
        start = f"Not within a factor of {self.factor:g}: {how_far(times)}."
        return Verdict(WRONG if says else kind, times, f"{start} {says}".strip(), known=bool(says))

    def _named(self, quantity: "Quantity", times: float) -> str:
        """What a wrong answer gives away; empty where nobody knows."""
        bits = BITS if "[byte]" in self.answer.value.dimensionality else ()
        general = [(times / factor, says) for factor, says in (*GENERAL, *bits)]
        for found in ([(capacity.ratio(quantity, wrong), says) for wrong, says in self.wrong], general):
            off, says = min((abs(math.log(ratio)), says) for ratio, says in found)
            if off <= math.log(SAME):
                return says
        return ""

    def _binary(self, times: float) -> str:
        """A remark where powers of 1,024 were written with the prefixes of 1,000, or the other way round."""
        if "[byte]" not in self.answer.value.dimensionality or within(times, EXACT):
            return ""
        powers = [times * 1.024**power for power in range(-4, 5)]
        found = any(within(one, EXACT) for one in powers)
        return " You mixed GB, powers of 1,000, with GiB, powers of 1,024." if found else ""


def _same_but_for_counts(answer: dict[str, float], truth: dict[str, float], prompt: str) -> bool:
    """Whether an answer leaves out what is counted, 128 KiB for a token, or says where it goes without saying."""
    bare = {name: power for name, power in truth.items() if name in PHYSICAL}
    above = bare | {name: power for name, power in truth.items() if power > 0}
    if answer in (bare, above, truth):
        return True
    if answer == truth | {"[arm]": -1}:
        return "each arm" in prompt
    more = {name: power for name, power in answer.items() if name not in bare}
    return truth == bare and answer == bare | more and all(name not in PHYSICAL and more[name] < 0 for name in more)


def within(times: float, factor: float) -> bool:
    """Whether a ratio is between one over the factor and the factor."""
    return abs(math.log(times)) <= math.log(factor) + 1e-9


def how_far(times: float) -> str:
    """How far from the exact number, in words."""
    if within(times, EXACT):
        return "exact"
    return (
        f"{number(times)} times the exact number"
        if times > 1
        else f"the exact number is {number(1 / times)} times as large"
    )


def all_estimates(bank: Path = BANK) -> list[Estimate]:
    """Every drill, in the order of the file."""
    return [_estimate(entry) for entry in yaml.safe_load((bank / FILE).read_text(encoding="utf-8"))]


def load(name: str, bank: Path = BANK) -> Estimate:
    """The drill with this id.

    Raises:
        PracticeError: there is none.
    """
    drills = {one.id: one for one in all_estimates(bank)}
    if name.upper() not in drills:
        raise PracticeError(f"there is no estimate {name!r}: they are {min(drills)} to {max(drills)}")
    return drills[name.upper()]


def steps_markdown(estimate: Estimate) -> str:
    """The numbers of the prompt by the names that the steps use, and the steps with their results."""
    given = ", ".join(f"{fact.name} = {fact.formula}" for fact in estimate.facts)
    lines = [
        f"{place}. {step.name} = {step.formula} = {step.shown}: {why}"
        for place, (step, (_, why)) in enumerate(zip(estimate.computed, estimate.steps, strict=True), 1)
    ]
    return f"With {given}:\n\n" + "\n".join(lines)


def _estimate(entry: dict) -> Estimate:
    """Raises PracticeError where the entry lacks a key or has one too many."""
    lists = {
        "given": tuple(entry.get("given", ())),
        "steps": tuple(tuple(part.strip() for part in line.split("|", 1)) for line in entry.get("steps", ())),
        "mistakes": tuple((mistake["is"], mistake["says"]) for mistake in entry.get("mistakes", ())),
        "questions": tuple(entry.get("questions", ())),
    }
    try:
        return Estimate(**{**entry, **lists})
    except TypeError as error:
        raise PracticeError(f"{FILE}, {entry.get('id')}: {str(error).replace('Estimate.__init__() ', '')}") from None
