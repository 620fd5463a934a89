"""A question, task or design on paper: the candidate's page, without any answer, and the interviewer's script."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from recsys_course.interview import drill
from recsys_course.interview.bank import LEVELS, Question, file_names, table_cell
from recsys_course.interview.coding import Task
from recsys_course.interview.coding_result import FULL_EDGES, PARTS
from recsys_course.interview.proofs import show_marks
from recsys_course.interview.task_rules import read_mutants

if TYPE_CHECKING:
    from recsys_course.interview.debugging_task import Task as DebuggingTask
    from recsys_course.interview.design_file import Design

SPACE = range(10, 30)  # empty lines, two a minute
LABELS = {
    "Clock": "计时",
    "Your answer": "你的回答",
    "Examples": "示例",
    "Begin with": "起始代码",
    "Edge cases that you think of, before the first run": "动手运行之前，你想到的边界情况",
    "Complexity": "复杂度",
    "Your code": "你的代码",
    "Your marks": "你的标注",
    "What happens, and why": "现象与原因",
    "Your fix, and a test that fails before it and passes after it": "你的修复，以及修复前失败、修复后通过的测试",
}
QUESTION_CLOCK = (
    "{} min: the first half for the answer, the rest for follow-ups.",
    "共 {} 分钟：前一半回答，后一半留给追问。",
)
TASK_CLOCK = (
    "{} min. Say what you assume, name edge cases and the complexity, then write, and talk while you write.",
    "共 {} 分钟。先说清假设、边界情况和复杂度，再动手；边写边讲。",
)
REVIEW_CLOCK = (
    "{} min: mark the lines, say what happens and why, mend it, and prove it by a test.",
    "共 {} 分钟：标出有问题的行，讲清现象与原因，修复，并用测试证明。",
)
MARKS = {
    language: "\n".join((head, "| --- | --- | --- |", *["| | | |"] * 6))
    for language, head in (
        ("en", "| line | blocker, major or minor | why |"),
        ("zh", "| 行号 | blocker（严重）、major（较重）或 minor（轻微） | 原因 |"),
    )
}
REVIEW_PARTS = (("marks, by severity; false alarms cost", 40), ("mechanism", 25), ("fix", 15), ("test", 20))
BOX = "- [ ] "

Sections = Iterable[tuple[str, str]]  # headline and Markdown


def question_for_candidate(question: Question, language: str) -> str:
    """The prompt, the clock and space for notes."""
    sections = (("Clock", _said(QUESTION_CLOCK, question.minutes, language)), ("Your answer", _space(question.minutes)))
    return _page(_question_title(question), _prompts(question, language), _named(sections, language))


def question_for_interviewer(question: Question, language: str) -> str:
    """What to ask and when, what to expect, and a sheet to score it on."""
    hints = (f"{number}. {text}" for number, text in enumerate(question.hints, 1))
    follow_ups = (f"If {one.trigger}: *{one.ask}* {one.expect}" for one in question.follow_ups)
    answers = (f"**{name.capitalize()}**\n\n{text}" for name, text in question.answers)
    sections = (
        ("Clock", _clock(question.minutes / 2, question.minutes)),
        (f"Hints, in this order; each costs {drill.HINT_COSTS} points", _boxes(hints)),
        ("Follow-ups, by what the answer leaves open", _boxes(follow_ups)),
        ("What to expect", "\n\n".join((f"**Key insight.** {question.key_insight}", *answers))),
        ("Commonly said, and wrong", _boxes(question.wrong_answers)),
        ("Scoring sheet", _rubric_sheet(question)),
        ("To read afterwards", question.related),
        ("Sources", "\n".join(f"{number}. {text}" for number, text in enumerate(question.sources, 1))),
    )
    return show_marks(file_names(_page(_question_title(question), _prompts(question, language), sections)))


def task_for_candidate(task: Task, language: str) -> str:
    """The statement, what to begin with, and space."""
    sections = (
        ("Clock", _said(TASK_CLOCK, task.minutes, language)),
        *_statement(task),
        ("Edge cases that you think of, before the first run", _space(0)),
        ("Complexity", "O( ______________________ )"),
        ("Your code", _space(task.minutes)),
    )
    return _page(_task_title(task, language), _prompts(task, language), _named(sections, language))


def task_for_interviewer(task: Task, language: str) -> str:
    """The statement, what to listen for, what to ask next, a right answer, and a sheet to score it on."""
    edges = (f"{edge.name}: {edge.says}" for edge in task.edges)
    probes = (f"*{ask}* {expect}" for ask, expect in task.probes)
    wrong = read_mutants(task.folder / "mutants.py")
    accepted = f"; also {', '.join(task.accepted)}" if task.accepted else ""
    sections = (
        ("Clock", _clock(task.minutes)),
        *_statement(task),
        (f"Edge cases: tick what is named before the first run; {FULL_EDGES} are enough", _boxes(edges)),
        ("Complexity", f"{task.complexity}{accepted}"),
        ("What is commonly wrong in the code", _boxes([*wrong.get("MUTANTS", ()), *wrong.get("SLOW", ())])),
        ("Ask next", _boxes(probes)),
        ("A right answer", f"```python\n{task.reference.strip()}\n```"),
        ("Scoring sheet", _parts_sheet(PARTS)),
        ("To read afterwards", f"Lesson {task.lesson}; questions {', '.join(task.questions)}"),
    )
    return _page(_task_title(task, language), _prompts(task, language), sections)


def debugging_for_candidate(task: "DebuggingTask", language: str) -> str:
    """The report and the code, and space for the review."""
    sections = (
        ("Clock", _said(REVIEW_CLOCK, task.minutes, language)),
        ("Your marks", MARKS["zh" if language == "zh" else "en"]),
        ("What happens, and why", _space(0)),
        ("Your fix, and a test that fails before it and passes after it", _space(task.minutes)),
    )
    return _append(task.candidate_markdown(language), _named(sections, language))


def debugging_for_interviewer(task: "DebuggingTask", language: str) -> str:
    """The task's own script, with clock and scoring sheet."""
    sections = (("Clock", _clock(task.minutes)), ("Scoring sheet", _parts_sheet(REVIEW_PARTS)))
    return _append(show_marks(task.interviewer_markdown(language)), sections)


def design_for_candidate(design: "Design", language: str) -> str:
    """The prompt and the clock, and space for notes."""
    return _append(design.candidate_markdown(language), _named([("Your answer", _space(design.minutes))], language))


def design_for_interviewer(design: "Design", language: str) -> str:
    """The design's own script, and space for notes."""
    return _append(design.interviewer_markdown(language), [("Notes", _space(0))])


def _append(page: str, sections: Sections) -> str:
    return "\n\n".join((page.strip(), *_bodies(sections))) + "\n"


def _bodies(sections: Sections) -> Iterable[str]:
    return (f"## {headline}\n\n{text}" for headline, text in sections if text)


def _page(title: str, prompt: str, sections: Sections) -> str:
    return _append(f"# {title}\n\n{prompt}", sections)


def _question_title(question: Question) -> str:
    return f"{question.id} · {question.level} · {question.minutes} min"


def _task_title(task: Task, language: str) -> str:
    title = {"en": task.title, "zh": task.title_zh or task.title}.get(language, f"{task.title} · {task.title_zh}")
    return f"{task.id} · {title} · {task.level} · {task.minutes} min"


def _prompts(item: Question | Task, language: str) -> str:
    return "\n\n".join(drill.prompts(item, language))


def _statement(task: Task) -> Sections:
    yield "Examples", f"```pycon\n{task.examples}\n```"
    yield "Begin with", f"```python\n{task.starter.strip()}\n```"


def _named(sections: Sections, language: str) -> Sections:
    for headline, text in sections:
        names = {"en": headline, "zh": LABELS[headline]}
        yield names.get(language, f"{headline} · {LABELS[headline]}"), text


def _said(texts: tuple[str, str], minutes: int, language: str) -> str:
    wanted = {"en": texts[:1], "zh": texts[1:]}.get(language, texts)
    return "\n\n".join(text.format(minutes) for text in wanted)


def _space(minutes: float) -> str:
    return "\n".join(["<br>"] * min(max(round(2 * minutes), SPACE.start), SPACE.stop))


def _boxes(texts: Iterable[str]) -> str:
    return "\n".join(BOX + text for text in texts)


def _clock(*ends: float) -> str:
    names = ("the answer is over", "the follow-ups are over") if len(ends) > 1 else ("the time is over",)
    return "\n".join(
        ("Begun at: ________", "", *(f"- {end:g} min: {what}" for end, what in zip(ends, names, strict=True)))
    )


def _rubric_sheet(question: Question) -> str:
    rows = ["| points | the answer | met | half | missed |", "| ---: | --- | :-: | :-: | :-: |"]
    rows += [f"| {points} | {table_cell(text)} | ☐ | ☐ | ☐ |" for points, text in question.rubric]
    most = sum(points for points, _ in question.rubric)
    total = f"Points ____ (a half counts half) - {drill.HINT_COSTS} x hints ____ = ______ of {most}"
    levels = "Level reached: " + " ".join(f"☐ {level}" for level in LEVELS)
    return "\n\n".join(("\n".join(rows), total, levels, "Notes:", _space(0)))


def _parts_sheet(parts: Iterable[tuple[str, int]]) -> str:
    rows = ["| part | of | points |", "| --- | ---: | ---: |"]
    rows += [f"| {title} | {most} | ____ |" for title, most in parts]
    rows.append(f"| total | {sum(most for _, most in parts)} | ____ |")
    return "\n\n".join(("\n".join(rows), "Notes:", _space(0)))


PAGES = {  # for the candidate, for the interviewer
    "question": (question_for_candidate, question_for_interviewer),
    "task": (task_for_candidate, task_for_interviewer),
    "debugging": (debugging_for_candidate, debugging_for_interviewer),
    "design": (design_for_candidate, design_for_interviewer),
}
