"""Questions, tasks and designs on paper for two: a page for the candidate, a script for whoever interviews.

The candidate's has prompts, clock and space, and no answer in it; the interviewer's has everything: hints with their
price, follow-ups with what triggers them, what to expect, what is commonly wrong, and a sheet to score it on.
"""

import os
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview import bank
from recsys_course.interview.outcome import PracticeError

ROLES = ("candidate", "interviewer")
TITLES = {
    "candidate": {"en": "Practice interview", "zh": "模拟面试"},
    "interviewer": {"en": "Practice interview: the interviewer's script", "zh": "模拟面试：面试官脚本"},
}
RULES = {
    "candidate": {
        "en": "Read a task, start its clock, answer aloud or in the space below. Ask whoever interviews you for hints.",
        "zh": "先读题，再开始计时；口头作答，或写在留白处。需要提示时，请向面试官要。",
    },
    "interviewer": {
        "en": "Keep this from the candidate. Read the prompt aloud, start the clock, and tick what you hear.",
        "zh": "不要给候选人看。朗读题目，开始计时，听到要点就打勾。",
    },
}


@dataclass(frozen=True)
class Page:
    """One item of a packet."""

    id: str
    minutes: int
    markdown: str


def render(ids: str | Sequence[str], role: str = "candidate", language: str = "both") -> str:
    """Return a packet as Markdown.

    Args:
        ids: of questions, tasks and designs, also as one text with commas between them; each comes once.
        role: ``candidate`` or ``interviewer``.
        language: of the prompts, ``en``, ``zh`` or ``both``.

    Raises:
        PracticeError: an id or a role that there is none of.
    """
    return _packet(_pages(ids, role, language), role, language)


def export(ids: str | Sequence[str], path: str | Path, role: str = "candidate", lang: str = "both") -> str:
    """Write a packet to a file and return what was done, in a sentence.

    Args:
        ids: as for `render`.
        path: the file; one that is there is replaced.
        role: as for `render`.
        lang: as ``language`` of `render`.

    Raises:
        PracticeError: an id or a role that there is none of, or the file cannot be written.
    """
    path, pages = Path(path), _pages(ids, role, lang)
    try:
        _write(path, _packet(pages, role, lang))
    except OSError as error:
        raise PracticeError(
            f"{path} cannot be written ({error.strerror}): give a file in a folder that is there"
        ) from error
    names, minutes = ", ".join(page.id for page in pages), sum(page.minutes for page in pages)
    return f"{path.name}: {names} for the {role}, {minutes} min."


def _pages(ids: str | Sequence[str], role: str, language: str) -> list[Page]:
    if role not in ROLES:
        raise PracticeError(f"a packet is for a {' or an '.join(ROLES)}, got {role!r}")
    words = ids.replace(",", " ").split() if isinstance(ids, str) else ids
    wanted = list(dict.fromkeys(word.upper() for word in words))
    if not wanted:
        raise PracticeError("no id was given: name questions, tasks or designs, such as C03,W08,X16,SD1")
    return [_page(one, role, language) for one in wanted]


def _page(item: str, role: str, language: str) -> Page:
    for pattern, make in KINDS:
        if re.fullmatch(pattern, item):
            return make(item, role, language)
    letters = ", ".join(sorted({path.name[0] for path in bank.question_files()}))
    raise PracticeError(
        f"there is no {item!r}: ids are such as C03, W08, X16 and SD1, and questions begin with {letters}"
    )


def _question(item: str, role: str, language: str) -> Page:
    ids = [path.name.partition("-")[0] for path in bank.question_files()]
    if item not in ids:
        near = ", ".join(one for one in ids if one[0] == item[0])
        raise PracticeError(f"there is no question {item!r}: topic {item[0]} has {near or 'none'}")
    return _made(bank.load_question(item), "question", role, language)


def _coding(item: str, role: str, language: str) -> Page:
    from recsys_course.interview import coding

    return _made(coding.load(item), "task", role, language)


def _debugging(item: str, role: str, language: str) -> Page:
    from recsys_course.interview import debugging

    return _made(debugging.load(item), "debugging", role, language)


def _design(item: str, role: str, language: str) -> Page:
    from recsys_course.interview import designs

    return _made(designs.load(item), "design", role, language)


def _made(item: object, kind: str, role: str, language: str) -> Page:
    from recsys_course.interview import packet_pages

    make = packet_pages.PAGES[kind][ROLES.index(role)]
    return Page(item.id, item.minutes, bank.file_names(make(item, language)))


KINDS: tuple[tuple[str, Callable[[str, str, str], Page]], ...] = (
    (r"W\d+", _coding),
    (r"X\d+", _debugging),
    (r"SD\d+", _design),
    (r"[A-P]\d+", _question),
)


def _packet(pages: Sequence[Page], role: str, language: str) -> str:
    title, rules = _in(TITLES[role], language, " · "), _in(RULES[role], language, "\n\n")
    minutes = sum(page.minutes for page in pages)
    in_all = _in({"en": f"{minutes} min in all", "zh": f"共 {minutes} 分钟"}, language, " · ")
    head = f"# {title}\n\n{', '.join(page.id for page in pages)}: {in_all}\n\n{rules}"
    return "\n\n---\n\n".join([head, *(_lower(page.markdown).strip() for page in pages)]) + "\n"


def _in(texts: dict[str, str], language: str, between: str) -> str:
    return texts.get(language) or between.join(texts.values())


def _lower(markdown: str) -> str:
    """Every heading one level down; what is in a code block is none."""
    lines, fenced = [], False
    for line in markdown.splitlines():
        fenced ^= line.lstrip().startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not fenced else line)
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
