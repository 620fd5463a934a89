"""The debrief of a mock interview as one HTML file: no script, nothing fetched, light and dark, every figure a table.

Whatever comes from the learner or the bank is escaped, and the page forbids itself scripts and foreign addresses.
"""

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from recsys_course import learner
from recsys_course.interview import figures, mock_state, stats
from recsys_course.interview.debrief import RULES, Debrief, Row
from recsys_course.interview.mock_paper import NAMES
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import minutes, paragraphs

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --rule: #8a8a8a; --soft: #f2f2f2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eaeaea; --paper: #161616; --rule: #8a8a8a; --soft: #262626; }
}
body { margin: 0 auto; max-width: 52rem; padding: 1rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--rule); }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding: .4rem 0; font-weight: 600; }
th, td { border-bottom: 1px solid var(--rule); padding: .3rem .5rem; text-align: left; vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } .result { font-size: 1.3rem; }
pre { background: var(--soft); padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; } article { margin-top: 2rem; }
@media print { article { break-inside: avoid; } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write(found: Debrief) -> Path:
    """Write the page to ``my/mocks`` of the course, or beside the journal where there is no clone; return its path.

    Raises:
        PracticeError: it cannot be written.
    """
    try:
        folder = learner.find_course() / "my" / "mocks"
    except learner.LearnerError:
        folder = mock_state.folder()
    stem = f"{found.day}-{found.paper.order.seed}"
    names = [f"{stem}.html", *(f"{stem}-{n}.html" for n in range(2, 1000))]
    path = next(folder / name for name in names if not (folder / name).exists())
    part = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(render(found), encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise PracticeError(
            f"{error.filename or path} cannot be written ({error.strerror}): the mock is kept; mend that, then "
            "`recsys-course mock --resume` writes the debrief"
        ) from error
    return path


def render(found: Debrief) -> str:
    """The whole page."""
    order = found.paper.order
    title = f"Mock interview of {found.day}: {order.round}, {order.level}, seed {order.seed}"
    parts = [_summary(found), _parts_table(found), _next(found), _topics(found), _calibration(found)]
    parts += [
        f"<h2>The rules</h2>{_list(RULES)}",
        "<h2>Part by part</h2>",
        *(_part(row) for row in found.rows),
        _unsat(found),
    ]
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    body = f"<main><h1>{escape(title)}</h1>{''.join(parts)}</main>"
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def _summary(found: Debrief) -> str:
    if found.points is None:
        return _paragraph("No part was sat.")
    level = found.paper.order.level
    result = f"{found.points} of 100 points: {found.verdict} at level {level}. Level reached: {found.level_reached}."
    hints = _count(found.hints, "hint")
    used = f"{minutes(found.seconds)} of {found.paper.minutes}:00 minutes on the clock, {hints}."
    levels = [(name, str(points), str(number)) for name, points, number in found.levels]
    table = _table("Points by level", ("level", "points", "parts"), levels, numbers=(1, 2))
    return f'<p class="result"><strong>{escape(result)}</strong></p>{_paragraph(used)}{table}'


def _parts_table(found: Debrief) -> str:
    head = ("part", "kind", "level", "first grade", "points", "time used", "planned", "hints", "missed", "comes back")
    rows = [_cells(row) for row in found.rows]
    table = _table("Points, time and hints of each part", head, rows, numbers=(3, 4, 5, 6, 7, 8))
    notes = "".join(_paragraph(note) for note in found.paper.notes)
    return f"<h2>The paper</h2>{table}{notes}"


def _cells(row: Row) -> tuple[str, ...]:
    done = row.outcome
    first = "-" if done.first is None else str(done.first)
    back = row.back.isoformat() if row.back else "no card"
    clock = (minutes(done.seconds), f"{row.part.minutes}:00")
    rest = (str(done.hints), str(len(done.missed)), back)
    return (row.part.id, NAMES[row.part.kind], row.part.level, first, str(done.percent), *clock, *rest)


def _next(found: Debrief) -> str:
    tomorrow = ", ".join(row.part.id for row in found.tomorrow)
    back = (
        f"Back tomorrow: {tomorrow}. recsys-course next names what comes first."
        if tomorrow
        else "Nothing comes back tomorrow."
    )
    if found.read:
        read = _list(f"{name}, {why}" for name, why in found.read)
    else:
        read = _paragraph("Nothing: every part is a strong hire, or names no lesson.")
    open_ = _list(f"{row.part.id}: {text}" for row in found.rows for text in row.outcome.follow_ups)
    left = f"<h3>Follow-ups that you could not answer</h3>{open_}" if open_ else ""
    return f"<h2>What now</h2>{_paragraph(back)}<h3>Read next</h3>{read}{left}"


def _topics(found: Debrief) -> str:
    rows = [(name, str(percent), str(found.overall.get(name, "-"))) for name, percent in found.topics.items()]
    table = _table("Points by topic", ("topic", "this mock", "all questions so far"), rows, numbers=(1, 2))
    values, what = (found.topics, "in this mock") if len(found.topics) >= 3 else (found.overall, "so far")
    if len(values) < 3:
        return f"<h2>Topics</h2>{_paragraph('A radar needs three topics or more.')}{table}"
    alt = f"Radar by topic, points of 100 {what}: {_spoken(values)}"
    svg = figures.radar({name: float(value) for name, value in values.items()}, f"Points by topic {what}", alt)
    return f"<h2>Topics</h2><figure>{svg}</figure>{table}"


def _calibration(found: Debrief) -> str:
    if not found.pairs:
        said = "No answer was graded twice yet."
        return f"<h2>How well you judge yourself</h2>{_paragraph(said)}"
    curve = figures.calibration_table(found.pairs)
    rows = [(f"{first:.0f}", f"{final:.0f}", str(number)) for first, final, number in curve]
    head = ("first grade", "final grade", "answers")
    table = _table("Mean grades before and after the model answer, all reviews", head, rows, numbers=(0, 1, 2))
    said = stats.judgement(found.pairs)
    alt = f"Calibration curve of {_count(len(found.pairs), 'answer')}. {said}"
    svg = figures.calibration(found.pairs, "First and final grade", alt)
    return f"<h2>How well you judge yourself</h2>{_paragraph(said)}<figure>{svg}</figure>{table}"


def _part(row: Row) -> str:
    done, about = row.outcome, row.about
    head = f"{row.part.id}: {NAMES[row.part.kind]}, {row.part.level}, {done.percent} points"
    chinese = f'<div lang="zh">{_prose(about.text_zh)}</div>' if about.text_zh else ""
    answer = f"<h4>What you typed</h4><pre>{escape(chr(10).join(row.answer))}</pre>" if row.answer else ""
    missed = f"<h4>Missed</h4>{_list(_plain(text) for text in done.missed)}" if done.missed else ""
    return f"<article><h3>{escape(head)}</h3>{_prose(about.text)}{chinese}{answer}{missed}</article>"


def _unsat(found: Debrief) -> str:
    left = found.paper.parts[len(found.rows) :]
    return _paragraph(f"Not sat: {_count(len(left), 'part')} of {len(found.paper.parts)}.") if left else ""


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    def cell(place: int, text: str) -> str:
        kind = ' class="number"' if place in numbers else ""
        return f"<td{kind}>{escape(text)}</td>" if place else f'<th scope="row"{kind}>{escape(text)}</th>'

    kinds = (' class="number"' if place in numbers else "" for place in range(len(head)))
    top = "".join(f'<th scope="col"{kind}>{escape(text)}</th>' for text, kind in zip(head, kinds, strict=True))
    body = "".join(f"<tr>{''.join(cell(place, text) for place, text in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _list(texts: Iterable[str]) -> str:
    entries = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<ul>{entries}</ul>" if entries else ""


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _prose(markdown: str) -> str:
    return "".join(_paragraph(block) for block in paragraphs(markdown))


def _plain(markdown: str) -> str:
    return " ".join(paragraphs(markdown))


def _spoken(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) + "."


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
