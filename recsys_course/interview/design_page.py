"""A design as text: the candidate's page, the interviewer's script and the model answer, from the same record."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from recsys_course.interview import bank
from recsys_course.interview.design_rubric import Phase, load_rubric
from recsys_course.interview.proofs import show_marks

if TYPE_CHECKING:
    from recsys_course.interview.design_file import Design, Dive

Section = tuple[str, str]  # headline and Markdown


def statement(design: "Design", language: str) -> str:
    """The prompt in the language wanted; without a Chinese one, the English and a remark."""
    english = design.prompt if language != "zh" or not design.prompt_zh else ""
    chinese = (design.prompt_zh or "(no Chinese prompt yet)") if language != "en" else ""
    return "\n\n".join(filter(None, (english, chinese)))


def phase_name(phase: Phase, language: str) -> str:
    """Its name in the language wanted."""
    return {"en": phase.en, "zh": phase.zh}.get(language, f"{phase.en} · {phase.zh}")


def phase_ask(phase: Phase, language: str) -> str:
    """What the interviewer says at its start, in the language wanted."""
    return {"en": phase.ask, "zh": phase.ask_zh}.get(language, f"{phase.ask}\n\n{phase.zh}：{phase.ask_zh}")


def candidate(design: "Design", language: str) -> str:
    """The page for a candidate."""
    headline = {"en": "Clock", "zh": "计时"}.get(language, "Clock · 计时")
    return _page(design, language, [(headline, _clock(language))])


def interviewer(design: "Design", language: str) -> str:
    """The script for an interviewer."""
    sections = [
        ("Clock", _clock(language)),
        ("If the candidate asks", design.fill("\n".join(f"- {one.ask} {one.answer}" for one in design.clarifications))),
        *answer_sections(design),
        ("Follow-ups", "\n".join(follow_up for dive in design.dives for follow_up in follow_ups(dive))),
        ("Listen for", _listen_for(design)),
        ("Scoring sheet", _scoring_sheet()),
    ]
    return _page(design, language, sections)


def answer(design: "Design") -> str:
    """The model answer as a page."""
    return _page(design, "both", [*answer_sections(design), ("Parts of a full answer", _parts(design))])


def answer_sections(design: "Design") -> Iterator[Section]:
    """Headline and text of each part of the model answer, with the numbers computed now and the sources in words."""
    sections = (
        ("Numbers", "\n".join(number_line(design, name) for name in design.steps)),
        (f"Budget: {design.limit} within {design.limit_ms} ms", budget(design)),
        ("Architecture", design.architecture),
        ("Deep dives", "\n".join(f"- {dive.id}: {dive.ask} {dive.expect}" for dive in design.dives)),
        ("Failure modes", "\n".join(f"- {f.failure} Seen by: {f.detect} Then: {f.do}" for f in design.failures)),
        ("What differs by level", "\n".join(f"- {level.capitalize()}: {text}" for level, text in design.anchors)),
        ("Sources", "\n".join(f"{number}. {source}" for number, source in enumerate(design.sources, 1))),
    )
    return ((headline, show_marks(design.fill(text))) for headline, text in sections)


def number_line(design: "Design", name: str) -> str:
    """One line of the arithmetic, as a list entry."""
    number, step = next(one for one in design.numbers if one.name == name), design.steps[name]
    how = f"{name} = {step.formula} = **{step.shown}**" if number.is_computed else f"{name} = **{number.formula}**"
    whence = "" if number.is_computed else f" ({number.expected})"
    kills = f". This rules out: {number.kills}" if number.kills else ""
    return f"- {how}{whence}: {number.says}{kills}"


def budget(design: "Design") -> str:
    """The stages, their sum and what is left."""
    total = sum(stage.ms for stage in design.stages)
    lines = [f"- {stage.stage}, {stage.ms} ms: {stage.says}" for stage in design.stages]
    return "\n".join([*lines, f"- Sum {total} ms, {design.limit_ms - total} ms in reserve."])


def follow_ups(dive: "Dive") -> list[str]:
    """The bank's follow-ups to a deep dive, as list entries; none where the bank does not have the question yet."""
    try:
        question = bank.load_question(dive.id)
    except bank.BankError:
        return []
    return [f"- {dive.id}, if {one.trigger}: {one.ask} {one.expect}" for one in question.follow_ups]


def _page(design: "Design", language: str, sections: list[Section]) -> str:
    title = {"en": design.title, "zh": design.title_zh}.get(language, f"{design.title} · {design.title_zh}")
    head = f"# {design.id} · {title}\n\n{design.level} · {design.minutes} min · lesson {design.lesson}"
    bodies = (f"## {headline}\n\n{text}" for headline, text in sections if text)
    return "\n\n".join([head, statement(design, language), *bodies]) + "\n"


def _clock(language: str) -> str:
    lines, start = [], 0.0
    for phase in load_rubric().phases:
        end = start + phase.seconds / 60
        lines.append(f"- {start:.0f} to {end:.0f} min: {phase_name(phase, language)}")
        start = end
    return "\n".join(lines)


def _listen_for(design: "Design") -> str:
    flags = (f"- Red flag {flag.case.name}: {flag.case.says}" for flag in design.red_flags)
    return design.fill("\n".join([*flags, _parts(design)]))


def _parts(design: "Design") -> str:
    return design.fill("\n".join(f"- {p.case.name} ({p.dimension}): {p.case.says}" for p in design.parts))


def _scoring_sheet() -> str:
    rows = [
        "| dimension | weight | 0 | 2 mid | 4 senior | +1 staff | grade |",
        "| --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for one in load_rubric().dimensions:
        rows.append(f"| {one.en} | {one.weight} | {' | '.join(one.anchors)} | |")
    grace = f"{load_rubric().grace / 60:g} minutes"
    rules = f"Grade 0 to 5; points are grade x weight / 4. A phase that is more than {grace} over costs a point."
    return "\n".join([*rows, "", rules])
