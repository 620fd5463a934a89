"""Text for a terminal: widths that count a Chinese character as two columns, and lines that are broken by them."""

import re
import unicodedata

COLUMNS = 80
CLOSING = "，。、；：！？）》」』”’%,.;:!?)]}"  # never at the start of a line
OPENING = "（《「『“‘"  # never at its end
PIECE = re.compile(r"\s+|[\u2e80-\u9fff\uff00-\uffef\u3000-\u303f]|[^\s\u2e80-\u9fff\uff00-\uffef\u3000-\u303f]+")


def width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    wide = sum(map(_chinese, text))
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def pad(text: str, columns: int) -> str:
    """The text with spaces up to that many columns."""
    return text + " " * max(0, columns - width(text))


def wrap(text: str, columns: int = COLUMNS, indent: str = "", first: str | None = None) -> str:
    """Break one paragraph into lines.

    Args:
        text: words; Chinese may be broken anywhere but before a closing mark.
        columns: of the longest line, the indent included.
        indent: what each line begins with.
        first: what the first line begins with instead.
    """
    lines, line, fresh = [], indent if first is None else first, True
    for piece in _pieces(text):
        if not fresh and width(line) + width(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line, fresh = indent, True
        if fresh:
            piece = piece.lstrip()
        while width(indent) + width(piece) > columns and width(piece) > columns // 2:  # longer than a line
            room = max(columns - width(line), 1)
            lines.append(line + piece[:room])
            line, piece = indent, piece[room:]
        line += piece
        fresh = fresh and not piece
    return "\n".join([*lines, line.rstrip()])


def flow(markdown: str, columns: int = COLUMNS) -> str:
    """Break the paragraphs and lists of a Markdown text; indented lines, tables and examples stay as they are."""
    blocks = []
    for block in re.split(r"\n\s*\n", markdown.strip("\n")):
        lines = block.split("\n")
        if lines[0].startswith(("    ", ">>>", "#", "|", "```")):
            blocks.append(block)
        else:
            items = re.split(r"\n(?=- |\d+\. )", block)
            blocks.append("\n".join(_item(" ".join(item.split()), columns) for item in items))
    return "\n\n".join(blocks)


def _item(text: str, columns: int) -> str:
    mark = re.match(r"- |\d+\. |", text)[0]
    return wrap(text[len(mark) :], columns, " " * len(mark), mark)


def _pieces(text: str) -> list[str]:
    """Words, each with the space before it, and single Chinese characters, each with the marks around it."""
    found: list[str] = []
    space = ""
    for piece in PIECE.findall(" ".join(text.split())):
        if piece.isspace():
            space = " "
            continue
        if space and found and _chinese(found[-1][-1]) and _chinese(piece[0]):
            space = ""  # the end of a source line, not of a word
        if not space and found and (piece[0] in CLOSING or found[-1][-1] in OPENING):
            found[-1] += piece
        else:
            found.append(space + piece)
        space = ""
    return found


def _chinese(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
