"""A question in a mock interview: answered against the clock, graded twice, then the follow-ups that it has earned.

Half of the question's minutes are for the answer; each follow-up has a sixth. Everything is kept after each step: what
was typed, the hints, both grades, and every follow-up.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from recsys_course.interview import bank, drill, reviews
from recsys_course.interview.bank import FollowUp, Question
from recsys_course.interview.drill import Grade
from recsys_course.interview.mock_paper import Part
from recsys_course.interview.mock_state import Sitting
from recsys_course.interview.outcome import Outcome
from recsys_course.interview.screen import Screen, minutes

LEAST = 60.0  # seconds for an answer that was interrupted


def answer_seconds(part: Part) -> float:
    """Time for the answer."""
    return 30.0 * part.minutes


def follow_up_seconds(part: Part) -> float:
    """Time for each follow-up."""
    return 10.0 * part.minutes


def sit(screen: Screen, part: Part, sitting: Sitting) -> Outcome:
    """Ask one question, from the prompt to the record; what is in the sitting's progress already is not asked again.

    Raises:
        BankError: the question is not there any more.
        Ended: the learner left; what was done is kept.
    """
    question, kept = bank.load_question(part.id), sitting.progress
    if kept.get("rev", question.rev) != question.rev:
        screen.say("The question has changed since you began it: grade it again.")
        kept = sitting.progress = {key: kept[key] for key in ("lines", "hints", "spent", "answered") if key in kept}
    sitting.keep(rev=question.rev)
    drill.show_prompt(screen, question, f"{part.minutes} min", sitting.language)
    if not kept.get("answered"):
        _answer(screen, question, part, sitting)
    _grade(screen, question, part, sitting)
    _follow_ups(screen, question, part, sitting)
    return _outcome(question, sitting)


@dataclass
class Draft:
    """What is typed for one answer; each line is on the disk before the next is asked for."""

    screen: Screen
    sitting: Sitting
    before: float
    hints: int
    most_hints: int

    def __post_init__(self):
        self.started = self.screen.clock()

    def read(self) -> str:
        """The next line, kept unless it is a command."""
        line = self.screen.read()
        lines = self.sitting.progress.get("lines", [])
        if line.strip() == "h":
            self.hints = min(self.hints + 1, self.most_hints)
        elif line.strip() not in ("", "q"):
            lines = [*lines, line]
        self.keep(lines)
        return line

    def keep(self, lines: list[str]) -> None:
        """Write lines, hints and time."""
        spent = self.before + self.screen.clock() - self.started
        self.sitting.keep(lines=lines, hints=self.hints, spent=spent)


def _answer(screen: Screen, question: Question, part: Part, sitting: Sitting) -> None:
    kept = sitting.progress
    before, hints, lines = kept.get("spent", 0.0), kept.get("hints", 0), kept.get("lines", [])
    _remind(screen, lines)
    seconds = max(answer_seconds(part) - before, LEAST) if before else answer_seconds(part)
    draft = Draft(screen, sitting, before, hints, len(question.hints))
    asked = replace(question, hints=question.hints[hints:])
    try:
        drill.take_answer(replace(screen, read=draft.read), asked, seconds)
    finally:
        draft.keep(sitting.progress.get("lines", []))
    sitting.keep(answered=True)


def _grade(screen: Screen, question: Question, part: Part, sitting: Sitting) -> None:
    """Rubric, model answer, rubric again; then the review, once."""
    kept, hints = sitting.progress, sitting.progress["hints"]
    if "first" not in kept:
        sitting.keep(first=asdict(drill.grade(screen, question, hints)))
    if "final" not in kept:
        first = Grade(**{key: _tuple(value) for key, value in kept["first"].items()})
        drill.show_answer(screen, question)
        sitting.keep(final=asdict(drill.grade(screen, question, hints, before=first)))
    if not _is_recorded(question, sitting):
        _record(question, part, kept)


def _record(question: Question, part: Part, kept: dict) -> None:
    final, spent = kept["final"], kept["spent"]
    reviews.record(
        question.id,
        question.rev,
        reviews.rate(final["percent"] / 100, spent <= answer_seconds(part)),
        "mock",
        seconds=round(spent, 1),
        missed=list(final["missed"]),
        first=kept["first"]["percent"],
        final=final["percent"],
    )


def _is_recorded(question: Question, sitting: Sitting) -> bool:
    """Whether the process was killed between the record and the file of the mock."""
    mine = (review for review in reviews.read() if review.item == question.id and review.mode == "mock")
    return any(review.time >= sitting.started and review.rev == question.rev for review in mine)


def _follow_ups(screen: Screen, question: Question, part: Part, sitting: Sitting) -> None:
    told = list(sitting.progress.get("follow_ups", ()))
    if len(told) < len(question.follow_ups):
        screen.head("Follow-ups: which did your answer call for?")
    for follow_up in question.follow_ups[len(told) :]:
        told.append(_follow_up(screen, follow_up, part, sitting))
        sitting.keep(follow_ups=told, draft=[])


def _follow_up(screen: Screen, follow_up: FollowUp, part: Part, sitting: Sitting) -> dict:
    """What became of one: whether it was asked, what was typed, whether the learner could answer, and the time."""
    screen.say(f"\nIs it so that {follow_up.trigger.replace('the answer', 'your answer', 1)}?")
    if not yes(screen):
        return {"ask": follow_up.ask, "asked": False, "could": None, "lines": [], "seconds": 0.0}
    seconds = follow_up_seconds(part)
    screen.say(f"\nThen the interviewer asks: {follow_up.ask}", style="bold")
    screen.say(f"You have {minutes(seconds)}. Say it aloud, or type; an empty line ends the answer.")
    lines, start = sitting.progress.get("draft", []), screen.clock()
    _remind(screen, lines)
    with screen.countdown(seconds):
        while line := screen.ask(">"):
            lines = [*lines, line]
            sitting.keep(draft=lines)
    spent = screen.clock() - start
    screen.say(f"\nExpected: {follow_up.expect}")
    screen.say("\nCould you say that?")
    return {"ask": follow_up.ask, "asked": True, "could": yes(screen), "lines": lines, "seconds": spent}


def yes(screen: Screen, prompt: str = "y or n:") -> bool:
    """Ask until the answer is yes or no."""
    words: dict[str, bool] = {"y": True, "yes": True, "是": True, "n": False, "no": False, "否": False}
    while (line := screen.ask(prompt).lower()) not in words:
        screen.say("Type y or n.")
    return words[line]


def _remind(screen: Screen, lines: Sequence[str]) -> None:
    """Show what was typed before an interruption."""
    if lines:
        screen.say("\nYou had typed, and it is kept:", style="bold")
        screen.say("\n\n".join(lines), indent=2)


def _outcome(question: Question, sitting: Sitting) -> Outcome:
    kept = sitting.progress
    told = kept.get("follow_ups", ())
    return Outcome(
        item=question.id,
        percent=kept["final"]["percent"],
        seconds=round(kept["spent"] + sum(one["seconds"] for one in told), 1),
        hints=kept["hints"],
        first=kept["first"]["percent"],
        missed=tuple(question.rubric[number - 1][1] for number in kept["final"]["missed"]),
        follow_ups=tuple(one["ask"] for one in told if one["could"] is False),
    )


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else value
