"""A small language for arithmetic with units: parsed here, computed by `recsys_course.interview.capacity`.

It knows numbers (``58,000``, ``5.8e4``, ``10^9``, ``5 %``), names, ``+ - * / ^`` and ``**``, parentheses and calls.
What follows a number without an operator multiplies it and binds more tightly than ``/``: ``64 GB / 2 KB`` is
32 million. Nothing of Python runs here.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from recsys_course.interview.outcome import PracticeError

LONGEST = 400  # characters
DEEPEST = 30  # parentheses
TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_μ][A-Za-z0-9_]*|\$)|(?P<sign>\*\*|[-+*/^(),%]))"
)
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
CHINESE = {
    "百万": "million",
    "千万": "qianwan",
    "万亿": "trillion",
    "十亿": "billion",
    "千": "thousand",
    "万": "wan",
    "亿": "yi",
    "毫秒": "ms",
    "秒": "s",
    "分钟": "minutes",
    "小时": "hours",
    "天": "days",
    "日": "days",
    "字节": "bytes",
    "用户": "users",
    "请求": "requests",
    "次": "",
    "个": "",
    "物品": "items",
    "候选": "candidates",
    "曝光": "impressions",
    "点击": "clicks",
    "张卡": "devices",
    "卡": "devices",
    "美元": "dollars",
}


class CapacityError(PracticeError):
    """An estimate that cannot be read or whose units do not match, in one sentence."""


@dataclass(frozen=True)
class Token:
    """A piece of a formula.

    Attributes:
        kind: ``number``, ``name``, ``sign`` or ``end``.
        text: as typed.
        glued: whether nothing stands between it and the piece before.
    """

    kind: str
    text: str
    glued: bool = False


@dataclass(frozen=True)
class Node:
    """A formula as a tree.

    Attributes:
        kind: ``number``, ``name`` (alone), ``unit`` (a name that multiplies the number before it), ``call`` or an
            operator, one of ``+ - * / ^ neg``.
        text: of a number, a name or a function.
        parts: what it is made of.
    """

    kind: str
    text: str = ""
    parts: tuple["Node", ...] = ()


def parse(formula: str) -> Node:
    """Read a formula.

    Raises:
        CapacityError: it is none, with what is wrong and where.
    """
    if len(formula) > LONGEST:
        raise CapacityError(f"the formula is longer than {LONGEST} characters: split it into several lines")
    parser = _Parser(_tokens(normalise(formula)))
    node = parser.sum()
    if parser.now.kind != "end":
        raise CapacityError(f"there is no operator before `{parser.now.text}` in `{formula.strip()}`")
    return node


def normalise(text: str) -> str:
    """The text with one way of writing each sign: full-width letters, superscripts, ``$5``, ``8B tokens``, ``per``."""
    text = re.sub(r"(?<=\w)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda match: "^" + match[1].translate(SUPERSCRIPTS), text)
    text = unicodedata.normalize("NFKC", text).translate(SIGNS)
    text = re.sub(r"\$\s*(\d[\d,.]*)", r"\1 $", text)
    text = re.sub(r"((?:device|GPU|card|machine|host)s?)-(?=[hds])", r"\1 ", text)  # device-hours
    text = re.sub(r"(?<=\d)B(?=\s+(?!per\b|in\b)[A-Za-z])", " billion", text)  # 8B tokens; but 300B alone is bytes
    return _CHINESE.sub(lambda match: f" {CHINESE[match[0]]} ", re.sub(r"\bper\b|每", "/", text))


_CHINESE = re.compile("|".join(sorted(CHINESE, key=len, reverse=True)))


def _tokens(text: str) -> list[Token]:
    found, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise CapacityError(f"`{text[place:].strip()[:20]}` cannot be read: write numbers, names and + - * / ^ ( )")
        kind = match.lastgroup
        found.append(Token(kind, match[kind], glued=not text[place].isspace()))
        place = match.end()
    return [*found, Token("end", "the end")]


class _Parser:
    """Recursive descent: sum, product, power, and what binds more tightly."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def take(self, *signs: str) -> str | None:
        """The sign that comes now, if it is one of these, and step over it."""
        token = self.now
        if token.kind != "sign" or token.text not in signs:
            return None
        self.place += 1
        return token.text

    def sum(self) -> Node:
        node = self.product()
        while sign := self.take("+", "-"):
            node = Node(sign, parts=(node, self.product()))
        return node

    def product(self) -> Node:
        node = self.negative()
        while sign := self.take("*", "/"):
            node = Node(sign, parts=(node, self.negative()))
        return node

    def negative(self) -> Node:
        if self.take("-"):
            return Node("neg", parts=(self._deeper(self.negative),))
        return self.measured()

    def measured(self) -> Node:
        """A number and the words after it, ``500 million users``; or words alone, ``requests``."""
        starts_with = self.now.kind
        node = self.power()
        while starts_with in ("number", "name") and self.now.kind == "name" and node.kind != "call":
            word = self.power()
            if word.kind == "name":
                word = Node("unit", word.text)
            elif word.kind == "^" and word.parts[0].kind == "name":
                word = Node("^", parts=(Node("unit", word.parts[0].text), word.parts[1]))
            else:
                raise CapacityError(f"there is no operator before `{word.text}(`")
            node = Node("by", parts=(node, word))
        return node

    def power(self) -> Node:
        node = self.atom()
        while self.take("%"):
            node = Node("*", parts=(node, Node("number", "0.01")))
        if self.take("^", "**"):
            sign = self.take("-", "+")
            exponent = self._deeper(self.power)
            node = Node("^", parts=(node, Node("neg", parts=(exponent,)) if sign == "-" else exponent))
        return node

    def atom(self) -> Node:
        token = self.now
        if token.kind == "number":
            self.place += 1
            return Node("number", token.text.replace(",", ""))
        if token.kind == "name":
            self.place += 1
            is_call = self.now.text == "(" and self.now.glued
            return Node("call", token.text, self.arguments()) if is_call else Node("name", token.text)
        if self.take("("):
            node = self._deeper(self.sum)
            self.close()
            return node
        if self.take("%"):
            return Node("number", "0.01")
        raise CapacityError(f"a number or a name is missing before {_quoted(token)}")

    def arguments(self) -> tuple[Node, ...]:
        self.take("(")
        found = [self._deeper(self.sum)]
        while self.take(","):
            found.append(self._deeper(self.sum))
        self.close()
        return tuple(found)

    def close(self) -> None:
        if not self.take(")"):
            raise CapacityError(f"a closing parenthesis is missing before {_quoted(self.now)}")

    def _deeper(self, rule: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise CapacityError(f"more than {DEEPEST} parentheses or signs inside one another: split the formula")
        node = rule()
        self.depth -= 1
        return node


def _quoted(token: Token) -> str:
    return "the end of the line" if token.kind == "end" else f"`{token.text}`"
