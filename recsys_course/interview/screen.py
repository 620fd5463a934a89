"""The terminal of the practice: text within 80 columns, questions to the learner, and a clock.

Nothing is said by colour alone, NO_COLOR is obeyed, Chinese characters count as two columns, and a pipe works as well:
where the input ends, the practice ends, and what was done until then is kept.
"""

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from recsys_course.interview.layout import COLUMNS, width, wrap
from recsys_course.interview.math_text import plain
from recsys_course.interview.proofs import MARK

ENTRY = re.compile(r"(?:[-*]|\d+\.)\s")
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


class Ended(Exception):
    """The learner has left, or the input has ended."""


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    console.width = min(COLUMNS, console.width)
    return console


@dataclass
class Screen:
    """Where a practice session talks to the learner.

    Attributes:
        console: prints.
        read: returns the next line that the learner types, and raises EOFError where there is none.
        clock: seconds, from any start; it never goes back.
    """

    console: Console = field(default_factory=_console)
    read: Callable[[], str] = input
    clock: Callable[[], float] = time.monotonic

    def say(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """Print Markdown as plain text: paragraphs are wrapped anew, list entries hang; a first empty line stays."""
        if not text.strip() or text.startswith("\n"):
            self.console.print()
        for number, block in enumerate(paragraphs(text)):
            if number and not ENTRY.match(block):
                self.console.print()
            mark = ENTRY.match(block)
            margin = " " * indent
            hang = margin + " " * len(mark[0] if mark else "")
            self.console.print(wrap(block, self.console.width, hang, first=margin), style=style, markup=False)

    def head(self, text: str) -> None:
        """Print a headline, ruled off by characters and not by colour alone."""
        line = f"== {text} "
        rule = "=" * max(2, self.console.width - 1 - width(line))
        self.console.print(f"\n{line}{rule}", style="bold", markup=False)

    def ask(self, prompt: str) -> str:
        """Print a prompt and return what the learner types, without the spaces around it.

        Raises:
            Ended: there is no more input, or the answer is ``q``.
        """
        self.console.print(prompt, end=" ", markup=False)
        sys.stdout.flush()
        try:
            line = self.read().strip()
        except EOFError:
            self.console.print()
            raise Ended from None
        if line == "q":
            raise Ended
        return line

    @contextmanager
    def countdown(self, seconds: float) -> Iterator[None]:
        """Say when half of the time and when all of it is over, while the learner thinks; on a terminal only."""
        if not self.console.is_terminal:
            yield
            return
        done = threading.Event()
        waits = ((seconds / 2, f"[{minutes(seconds / 2)} left]"), (seconds / 2, "[time: finish your sentence]"))

        def run() -> None:
            for wait, text in waits:
                if done.wait(wait):
                    return
                self.console.print(f"\n{text}", markup=False, style="bold")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def minutes(seconds: float) -> str:
    """``125`` as ``2:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def paragraphs(markdown: str) -> list[str]:
    """The paragraphs, list entries and table rows of a text, each on one line; proof marks and LaTeX are taken out."""
    text = plain(LINK.sub(r"\1", MARK.sub("", markdown).replace("**", "")))
    blocks: list[str] = []
    fresh = True
    for line in text.splitlines():
        if not line.strip():
            fresh = True
        elif fresh or ENTRY.match(line.lstrip()) or line.startswith(("|", "#")):
            blocks.append(line.strip())
            fresh = False
        else:
            blocks[-1] += " " + line.strip()
    return [re.sub(r"\s+([.,;:])", r"\1", re.sub(r"\s+", " ", block)) for block in blocks]
