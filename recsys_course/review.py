"""Code review: the learner marks suspicious lines of a specimen and hears which marks were right, and why.

Only marks that hit count: marking every line finds every fault and is told how many of the marks were wrong.
"""

import contextlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from recsys_course import progress


@dataclass(frozen=True)
class Review:
    """What is wrong with a piece of circulating code, line by line.

    Attributes:
        id: such as ``02.review``, under which the result is recorded.
        faults: a fragment of each faulty line, and what is wrong with it.
        fine: a fragment of a line that looks suspicious, and why it is right.
    """

    id: str
    faults: Mapping[str, str]
    fine: Mapping[str, str] = field(default_factory=dict)

    def show(self, specimen: Callable) -> None:
        """Print the specimen's source with line numbers."""
        print("\n".join(f"{number:>3}  {line}" for number, line in enumerate(_lines(specimen), start=1)))

    def mark(self, specimen: Callable, lines: Iterable[int], *, reveal: bool = False) -> None:
        """Judge the marked line numbers; ``reveal=True`` explains every fault.

        Raises:
            ValueError: a fault of this review is not in the specimen, or a line number does not exist.
        """
        source, marked = _lines(specimen), sorted(set(lines))
        where = {self._line_of(source, fragment): reason for fragment, reason in self.faults.items()}
        fine = {self._line_of(source, fragment): reason for fragment, reason in self.fine.items()}
        if not marked and not reveal:
            print(f"… {self.id}: no line marked yet. Put the numbers of the lines you doubt into the list.")
            return
        if wrong := [n for n in marked if not 1 <= n <= len(source)]:
            raise ValueError(f"the specimen has lines 1 to {len(source)}; there is no line {wrong[0]}")
        found = [n for n in marked if n in where]
        self._report(where, fine, marked, found)
        for number in where if reveal else ():
            if number not in found:
                print(f"  line {number}: {where[number]}")

    def _report(self, where: dict, fine: dict, marked: list[int], found: list[int]) -> None:
        complete = len(found) == len(where) == len(marked)
        if marked:
            with contextlib.suppress(OSError):  # a disk that takes no record keeps nobody from learning
                progress.record(self.id, "passed" if complete else "failed")
        sign = "✓" if complete else "…"
        wrong = len(marked) - len(found)
        print(f"{sign} {self.id}: {len(found)} of {len(where)} faults found, {wrong} marks were wrong")
        for number in marked:
            verdict = where.get(number) or f"is right. {fine.get(number, 'Nothing here changes a result.')}"
            print(f"  line {number}: {verdict}")

    def _line_of(self, source: list[str], fragment: str) -> int:
        numbers = [number for number, line in enumerate(source, start=1) if fragment in line]
        if len(numbers) != 1:
            raise ValueError(f"review {self.id}: {fragment!r} must stand in just one line, found {len(numbers)}")
        return numbers[0]


def _lines(specimen: Callable) -> list[str]:
    return textwrap.dedent(inspect.getsource(specimen)).rstrip().splitlines()
