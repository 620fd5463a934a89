"""Sentences of the bank, the marks that prove them, and the numbers that need one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MARK = re.compile(r"\[(?:(?P<kind>claim|test|source):\s*(?P<id>[^\]]+)|(?P<word>opinion|definition))\]")
_STOP = r"(?:(?<=[.!?])|(?<=[.!?][\"”)*_]))(?<!e\.g\.)(?<!i\.e\.)(?<!vs\.)(?<!al\.)"
_SENTENCE_END = re.compile(_STOP + r"\s+(?=[^a-z\s])")
_MARKS_AFTER_STOP = re.compile(r"([.!?][\"”)*_]*)((?:\s*\[(?:claim|test|source|opinion|definition)\b[^\]]*\])+)")
_NEW_BLOCK = re.compile(r"\s*(?:[-*]\s|\d+\.\s|[|>])")

# What looks like a number and states nothing that could be wrong.
TRIVIAL = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^\s*\d+\.\s",  # the number of a list entry
        r"https?://\S+|arxiv:?\s?\d+\.\d+",
        r"\b00\d-[QP]\d\b",  # questions of the source articles
        r"@\s?\d+|\btop[- ]\d+|\b[knm]\s?=\s?\d+",  # cut-offs
        r"\bMovieLens[- ](?:\d+K|\d+M)\b",
        r"\b95\s?% (?:confidence )?intervals?",
        r"(?:\(|, |\b(?:in|since|from|until|by|of) )(?:19[5-9]|20[0-4])\d\b",  # years
        r"\b(?:lesson|exercise|section|question|step|rank|position|level|case|rule|equation|table)s? \d+(?:\.\d+)*",
        r"(?<![\w.])[A-Za-z_]+[-_]?\d[\w.]*",  # names such as H06, p99, L2, BERT4Rec, Word2Vec
        r"(?<![\w.,])[012](?![\w]|[.,]\d|\s?%)",  # zero, one, two: labels, bounds, counts on one hand
    )
)
NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True)
class Sentence:
    """One sentence with its marks still in the text.

    Attributes:
        line: number of the line in the file where it starts.
        block: number of its paragraph, list entry or table row.
    """

    line: int
    text: str
    block: int = 0

    @property
    def marks(self) -> list[tuple[str, str]]:
        """Kind and id of each mark; the id of an opinion or a definition is empty."""
        return [(m["kind"] or m["word"], (m["id"] or "").strip()) for m in MARK.finditer(self.text)]

    @property
    def words(self) -> tuple[str, ...]:
        """Lower-case words without marks and punctuation, to compare sentences by."""
        return tuple(re.findall(r"[\w'’]+", MARK.sub(" ", self.text).lower()))

    @property
    def numbers(self) -> list[str]:
        """The numbers that need a proof: see ``TRIVIAL`` for what does not."""
        text = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", MARK.sub(" ", self.text))
        text = re.sub(r"\$([^$]*)\$", _bare_number, text)
        for pattern in TRIVIAL:
            text = pattern.sub(" ", text)
        return [number.rstrip(".,") for number in NUMBER.findall(text)]


def sentences(lines: Iterable[tuple[int, str]]) -> list[Sentence]:
    """Cut numbered lines of Markdown into sentences; code blocks and headings are left out.

    A paragraph, a list entry and a table row each end a sentence. A mark after a full stop belongs to the sentence
    before it.

    >>> [s.text for s in sentences([(1, "It is 4 [opinion]. It was 5. [opinion]"), (2, "It falls.")])]
    ['It is 4 [opinion].', 'It was 5 [opinion].', 'It falls.']
    """
    found = []
    for number, block in enumerate(_blocks(lines)):
        text = "\n".join(line for _, line in block)
        text = _MARKS_AFTER_STOP.sub(lambda m: m[2] + m[1], text)
        start = 0
        for part in _SENTENCE_END.split(text):
            start = text.index(part, start)
            found.append(Sentence(block[0][0] + text[:start].count("\n"), " ".join(part.split()), number))
            start += len(part)
    return found


def unproved(found: list[Sentence]) -> list[tuple[Sentence, str]]:
    """Sentences with a number that nothing proves, and that number.

    A mark proves its sentence and those before it in the paragraph, back to the mark before; an opinion stands for its
    own sentence only.

    >>> text = "Take 10 items. It finds 3 [test: H06.x]. That is 30 %. I would take 4 [opinion]."
    >>> [number for _, number in unproved(sentences([(1, text)]))]
    ['30']
    """
    missing, block, proved = [], None, False
    for sentence in reversed(found):
        if sentence.block != block:
            block, proved = sentence.block, False
        if sentence.marks:
            proved = any(kind != "opinion" for kind, _ in sentence.marks)
        elif sentence.numbers and not proved:
            missing.append((sentence, sentence.numbers[0]))
    return missing[::-1]


def show_marks(markdown: str) -> str:
    """Replace the marks by small print for a reader.

    >>> show_marks("It rises [claim: 02.rises]. It is one [definition].")
    'It rises <small>(proved by 02.rises)</small>. It is one.'
    """
    return re.sub(r"\s*" + MARK.pattern, _small_print, markdown)


def _small_print(mark: re.Match) -> str:
    if mark["word"] == "definition":
        return ""
    if mark["word"] == "opinion":
        return " <small>(our opinion)</small>"
    if mark["kind"] == "source":
        return f" <small>[{mark['id']}]</small>"
    return f" <small>(proved by {mark['id']})</small>"


def _bare_number(formula: re.Match) -> str:
    """A formula with letters defines something; without them it states a number."""
    symbols = re.sub(r"\\[A-Za-z]+", " ", formula[1])
    return " " if re.search(r"[A-Za-z]", symbols) else symbols


def _blocks(lines: Iterable[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    blocks: list[list[tuple[int, str]]] = [[]]
    fenced = False
    for number, line in lines:
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        if fence or fenced or not line.strip() or line.startswith("#"):
            blocks.append([])
            continue
        if _NEW_BLOCK.match(line):
            blocks.append([])
        blocks[-1].append((number, line))
    return [block for block in blocks if block]
