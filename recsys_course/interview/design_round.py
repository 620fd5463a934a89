"""The interview itself: six phases by the clock, the learner's notes, and an interviewer who answers and digs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from recsys_course.interview import capacity
from recsys_course.interview.bank import BankError, load_question
from recsys_course.interview.coding import EdgeCase
from recsys_course.interview.design_file import CHOSEN, GIVEN, Clarification, Design, Dive, Number
from recsys_course.interview.design_notes import Attempt
from recsys_course.interview.design_page import phase_ask, statement
from recsys_course.interview.design_rubric import Phase, Rubric
from recsys_course.interview.layout import width
from recsys_course.interview.quantity_text import number
from recsys_course.interview.screen import Ended, Screen, minutes

NEXT = "n"
DIVES = 2  # that an interviewer has time for
ESTIMATE = re.compile(r"(?P<name>[a-z][a-z_0-9]*)\s*=\s*(?P<formula>.+)")
BUDGET = re.compile(r"(?:budget|预算)\s*[:：]\s*(?P<stages>.+)", re.IGNORECASE)
STAGE = re.compile(r"[^\d,，;；]+(?P<ms>\d+(?:\.\d+)?)\s*(?:ms|毫秒)?\s*(?:[,，;；]|$)")
FACTOR = 2  # within which an estimate is right


@dataclass
class Round:
    """One design being talked through.

    Attributes:
        rubric: with the clock of this interview.
        offset: add it to the screen's clock for the seconds on the interview's.
    """

    screen: Screen
    design: Design
    rubric: Rubric
    attempt: Attempt
    language: str
    offset: float = 0.0

    def run(self) -> None:
        """Go through the phases that are not over yet.

        Raises:
            Ended: the learner left; all notes are kept.
        """
        self.offset = self.attempt.elapsed() - self.screen.clock()
        self._open()
        try:
            for phase in self.rubric.phases:
                self._phase(phase)
        except (Ended, KeyboardInterrupt):
            self.attempt.record("pause", elapsed=round(self.elapsed(), 1))
            raise

    def elapsed(self) -> float:
        """Seconds on the interview's clock."""
        return self.screen.clock() + self.offset

    def _open(self) -> None:
        screen, design = self.screen, self.design
        if self.attempt.passed(self.rubric.phases[-1].key):
            return
        screen.head(f"{design.id} {design.title if self.language != 'zh' else design.title_zh}")
        screen.say(statement(design, self.language))
        screen.say(
            f"\n{minutes(self.rubric.seconds)} on the clock. Talk aloud and type notes, one line each: every line is "
            f"kept as you press Enter. A line that ends with ? asks the interviewer. {NEXT}: next phase. q: stop, and "
            f"go on another time. More than {minutes(self.rubric.grace)} over in a phase costs a point."
        )

    def _phase(self, phase: Phase) -> None:
        parts = list(self._parts(phase))
        began = sum(seconds for key, seconds in self.attempt.spent().items() if key != phase.key)
        if self.attempt.passed(phase.key) >= len(parts):
            return
        place = self.rubric.phases.index(phase) + 1
        name = phase.zh if self.language == "zh" else phase.en
        self.screen.head(f"{place} of {len(self.rubric.phases)}: {name}, {minutes(phase.seconds)}")
        self.screen.say(phase_ask(phase, self.language))
        self._remind(phase)
        with self.screen.countdown(max(1.0, phase.seconds - (self.elapsed() - began))):
            for part in parts[self.attempt.passed(phase.key) :]:
                self.screen.say(part)
                self._take_notes(phase, began)
                self.attempt.record("next", phase=phase.key, elapsed=round(self.elapsed(), 1))
        self._tell_pace(phase)

    def _remind(self, phase: Phase) -> None:
        """Show what was noted in this phase before an interruption."""
        for line in self.attempt.notes(phase.key):
            self.screen.say(line, indent=2)

    def _take_notes(self, phase: Phase, began: float) -> None:
        while (line := self.screen.ask(self._prompt(phase, began))).lower() not in (NEXT, "next"):
            if not line:
                self.screen.say(f"{NEXT}: next phase. q: stop.", indent=2)
                continue
            self.attempt.note(phase.key, line, self.elapsed())
            if reply := self._reply(phase, line):
                self.screen.say(reply, indent=2)

    def _prompt(self, phase: Phase, began: float) -> str:
        now = self.elapsed() - began
        late = " over" if now > phase.seconds else ""
        return f"[{minutes(now)} of {minutes(phase.seconds)}{late}]"

    def _tell_pace(self, phase: Phase) -> None:
        spent = self.attempt.spent()[phase.key]
        over = spent - phase.seconds
        text = f"{minutes(spent)} of {minutes(phase.seconds)}."
        if over > self.rubric.grace:
            text += f" {minutes(over)} over: that costs a point, and the next phases pay for it."
        elif over > 0:
            text += f" {minutes(over)} over; up to {minutes(self.rubric.grace)} costs nothing."
        self.screen.say(text)

    # --- what the interviewer says

    def _parts(self, phase: Phase) -> Iterator[str]:
        """What the interviewer asks in a phase, one after the other."""
        if phase.key == "numbers":
            yield given(self.design)
        elif phase.key == "dives":
            for place, dive in enumerate(self._dives(), 1):
                yield f"\nDeep dive {place}, {dive.id}. {self._bank_prompt(dive)}{dive.ask}"
                yield from (f"\nFurther: {ask}" for ask in further(dive))
        elif phase.key == "launch":
            yield ""
            yield f"\nAnd now: {self.design.fill(self._failure())} How do you notice, and what do you do?"
        else:
            yield ""

    def _dives(self) -> list[Dive]:
        """Those about which the notes say least; chosen once."""
        if not self.attempt.dives():
            if self.attempt.passed("architecture") == 0:  # too early to choose
                return list(self.design.dives[:DIVES])
            self.attempt.record("dives", ids=[dive.id for dive in choose_dives(self.design, self.attempt.notes())])
        chosen = self.attempt.dives()
        return [dive for dive in self.design.dives if dive.id in chosen]

    def _bank_prompt(self, dive: Dive) -> str:
        """The question as the bank asks it, in Chinese where that is wanted."""
        if self.language == "en":
            return ""
        try:
            prompt = load_question(dive.id).prompt_zh
        except BankError:
            return ""
        return f"{prompt} " if prompt else ""

    def _failure(self) -> str:
        """The first failure that the notes do not speak of: fewest of its words are in them."""
        said = " ".join(self.attempt.notes()).lower()
        return min(self.design.failures, key=lambda one: _share_said(one.failure, said)).failure

    def _reply(self, phase: Phase, line: str) -> str:
        if line.endswith(("?", "？")):
            return clarify(self.design, line)
        if match := BUDGET.match(line):
            return add_up(self.design, match["stages"])
        if phase.key == "numbers" and (match := ESTIMATE.fullmatch(line)):
            return check_estimate(self.design, match["name"], match["formula"])
        return ""


def given(design: Design) -> str:
    """What the interviewer gives, and which names can be checked."""
    facts, chosen = (
        "\n".join(f"- {one.name} = {one.formula}: {one.says}" for one in design.numbers if one.expected == kind)
        for kind in (GIVEN, CHOSEN)
    )
    names = ", ".join(one.name for one in design.numbers if one.is_computed)
    return (
        f"\nTake these:\n{facts}\n\nI reckon with these; you may choose others, then your numbers differ from mine:\n"
        f"{chosen}\n\nI can check: {names}. Type `name = value unit` or a formula over the names above; "
        "you hear whether it is within a factor of two. A name and ? says what it means."
    )


def clarify(design: Design, line: str) -> str:
    """The interviewer's answer to a question."""
    asked = line.rstrip("?？ ").strip().lower()
    if named := [one.says for one in design.numbers if one.name == asked]:
        return named[0]
    best = max(design.clarifications, key=lambda one: _hits(one, line))
    if _hits(best, line) == 0:
        return "That is yours to decide: write down what you assume, and go on."
    return design.fill(best.answer)


def check_estimate(design: Design, name: str, formula: str) -> str:
    """Whether an estimate is within a factor of two, and the computation."""
    numbers = {one.name: one for one in design.numbers}
    if name not in numbers or not numbers[name].is_computed:
        return ""
    step = design.steps[name]
    known = {other: design.steps[other].value for other in numbers if not numbers[other].is_computed}
    try:
        value = capacity.evaluate(formula, known)
        times = capacity.ratio(value, step.value)
    except capacity.CapacityError as error:
        return f"No: {error}."
    near = capacity.within(value, step.value, FACTOR)
    judged = f"Within a factor of {FACTOR}." if near else f"Off by a factor of {_factor(times)}."
    return f"{judged} {name} = {step.formula} = {step.shown}.{_consequence(design, numbers[name])}"


def add_up(design: Design, stages: str) -> str:
    """The sum of a budget as it was typed, beside the limit."""
    found = [float(match["ms"]) for match in STAGE.finditer(stages)]
    if not found:
        return "Write it as `budget: retrieval 30, rank 45`, in milliseconds."
    total = sum(found)
    left = design.limit_ms - total
    rest = f"{left:g} ms in reserve." if left >= 0 else f"{-left:g} ms too much."
    return f"{len(found)} stages, {total:g} of {design.limit_ms} ms: {rest}"


def choose_dives(design: Design, notes: list[str]) -> list[Dive]:
    """The deep dives whose expected answer the notes say least of."""
    said = " ".join(notes).lower()
    ranked = sorted(design.dives, key=lambda dive: _share_said(dive.expect, said))
    return ranked[:DIVES]


def further(dive: Dive) -> list[str]:
    """What the bank asks next on this question and the dive did not; nothing where it does not have it yet."""
    try:
        asked = dive.ask.lower()
        return [min(load_question(dive.id).follow_ups, key=lambda one: _share_said(one.ask, asked)).ask]
    except BankError:
        return []


def _consequence(design: Design, one: Number) -> str:
    return f" It rules out: {design.fill(one.kills)}" if one.kills else ""


def _factor(times: float) -> str:
    if times <= 0:
        return "more than any number: it must be above zero"
    return f"{number(times)}, too high" if times > 1 else f"{number(1 / times)}, too low"


def _hits(one: Clarification, line: str) -> int:
    """Columns of its words that the line has: long words say more than short ones."""
    return sum(width(word) for word in one.words if EdgeCase("", (word,), "").named_in([line]))


def _share_said(text: str, said: str) -> float:
    """Share of the longer words of a text that were said."""
    words = {word for word in re.findall(r"\w+", text.lower()) if len(word) > 4}
    return sum(word in said for word in words) / max(len(words), 1)
