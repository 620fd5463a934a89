"""The practice's two pictures as SVG: what one knows by topic, and how well one judges oneself.

Written by hand because a page must open at once, without a plotting library, and follow the reader's light or dark
colours. Shapes and words carry all the meaning; colour carries none.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from statistics import mean

WIDTH, HEIGHT, RADIUS = 720, 560, 175
RINGS = (25, 50, 75, 100)
BINS = ((0, 39), (40, 64), (65, 84), (85, 100))  # of the first grade: no, mixed, hire, strong hire
ACCENT = "#0072B2"


def radar(values: Mapping[str, float], title: str, alt: str) -> str:
    """Draw one spoke a topic, from 0 in the middle to 100 at the rim.

    Args:
        values: percent in [0, 100] by topic, at least three of them: fewer make no area.
        title: above the picture.
        alt: what it shows, in a sentence, for who cannot see it.

    Raises:
        ValueError: fewer than three topics, or a value outside of [0, 100].
    """
    if len(values) < 3 or not all(0 <= value <= 100 for value in values.values()):
        raise ValueError(f"a radar needs three topics or more with percents from 0 to 100, got {dict(values)}")
    turns = [2 * math.pi * number / len(values) for number in range(len(values))]
    rings = "".join(_polygon([_spoke(turn, ring) for turn in turns], "grid") for ring in RINGS)
    rings += "".join(_text(*_spoke(0, ring, 6), str(ring), "small", "start") for ring in RINGS)
    spokes = "".join(_line(_spoke(turn, 0), _spoke(turn, 100), "grid") for turn in turns)
    area = _polygon([_spoke(turn, value) for turn, value in zip(turns, values.values(), strict=True)], "area")
    labels = "".join(
        _label(turn, f"{name} {value:.0f}") for turn, (name, value) in zip(turns, values.items(), strict=True)
    )
    return _svg(rings + spokes + area + labels, title, alt)


def calibration(pairs: Sequence[tuple[int, int]], title: str, alt: str) -> str:
    """Draw what the learner granted before the model answer against what was left after it.

    A point is one answer; squares on a line are the means of those whose first grade is in one of ``BINS``; on the
    dashed line the two grades are equal.

    Args:
        pairs: first and final percent, each in [0, 100].
        title: above the picture.
        alt: what it shows, in a sentence.

    Raises:
        ValueError: there is no pair.
    """
    if not pairs:
        raise ValueError("a calibration curve needs at least one answer that was graded twice")
    axes = "".join(
        _line(_place(0, tick), _place(100, tick), "grid")
        + _line(_place(tick, 0), _place(tick, 100), "grid")
        + _text(*_place(tick, -6), str(tick), "small", "middle")
        + _text(*_place(-3, tick - 1), str(tick), "small", "end")
        for tick in (0, *RINGS)
    )
    names = _text(*_place(50, -13), "first grade, before the model answer (percent)", "label", "middle")
    x, y = _place(-12, 50)
    names += (
        f'<text x="{x:.1f}" y="{y:.1f}" class="label" text-anchor="middle" transform="rotate(-90 {x:.1f} {y:.1f})">'
    )
    names += "final grade (percent)</text>"
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="dot"/>' for x, y in (_place(*p) for p in pairs))
    curve = [_place(first, final) for first, final, _ in calibration_table(pairs)]
    line = "".join(_line(a, b, "curve") for a, b in pairwise(curve))
    squares = "".join(f'<rect x="{x - 6:.1f}" y="{y - 6:.1f}" width="12" height="12" class="mean"/>' for x, y in curve)
    equal = _line(_place(0, 0), _place(100, 100), "equal") + _text(*_place(97, 91), "equal", "small", "end")
    return _svg(axes + names + equal + dots + line + squares, title, alt)


def calibration_table(pairs: Sequence[tuple[int, int]]) -> list[tuple[float, float, int]]:
    """Mean first grade, mean final grade and number of answers, for each of ``BINS`` that has one."""
    bins = ([pair for pair in pairs if low <= pair[0] <= high] for low, high in BINS)
    return [(mean(f for f, _ in inside), mean(s for _, s in inside), len(inside)) for inside in bins if inside]


def _svg(body: str, title: str, alt: str) -> str:
    style = (
        "text{font-family:system-ui,sans-serif;fill:currentColor}.title{font-size:18px;font-weight:600}"
        ".label{font-size:13px}.small{font-size:11px;opacity:.7}.grid{stroke:currentColor;opacity:.25;fill:none}"
        f".area{{fill:{ACCENT};fill-opacity:.25;stroke:{ACCENT};stroke-width:2}}.dot{{fill:currentColor;opacity:.3}}"
        f".mean{{fill:{ACCENT};stroke:currentColor}}.curve{{stroke:{ACCENT};stroke-width:2}}"
        ".equal{stroke:currentColor;stroke-dasharray:6 5}"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(alt)}">'
    )
    words = f"<title>{escape(title)}</title><desc>{escape(alt)}</desc><style>{style}</style>"
    return head + words + _text(WIDTH / 2, 30, title, "title", "middle") + body + "</svg>"


def _spoke(turn: float, percent: float, shift: float = 0) -> tuple[float, float]:
    length = RADIUS * percent / 100
    return WIDTH / 2 + length * math.sin(turn) + shift, HEIGHT / 2 + 20 - length * math.cos(turn)


def _place(x: float, y: float) -> tuple[float, float]:
    """Percents to pixels: 0, 0 is at the lower left."""
    return 160 + 4 * x, 470 - 4 * y


def _label(turn: float, text: str) -> str:
    """A topic's name outside of the rim, in short lines, towards the side on which there is room."""
    (x, y), sideways, lines = _spoke(turn, 112), math.sin(turn), textwrap.wrap(text, 20)
    anchor = "middle" if abs(sideways) < 0.2 else "start" if sideways > 0 else "end"
    top = y - 8 * (len(lines) - 1) * (1 + math.cos(turn)) + 4
    return "".join(_text(x, top + 15 * number, line, "label", anchor) for number, line in enumerate(lines))


def _polygon(points: Sequence[tuple[float, float]], kind: str) -> str:
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" class="{kind}"/>'


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" class="{kind}"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
