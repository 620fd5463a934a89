"""Carry a learner's work from an old copy of a notebook into a new version of it, cell by cell.

Three notebooks meet: ``given`` is the version that was handed out, ``mine`` is what the learner made of it and ``new``
is the version that is shipped now. Cells are matched by their id, which the build derives from lesson, slug and
ordinal; one whose ordinal moved, because the course put a paragraph before it, by its text. Whatever differs between
``given`` and ``mine`` is the learner's, and all of it is found again in the result:

- a changed cell that the course left alone takes its place in the new version;
- where both changed, an exercise (a cell with a stub) keeps the learner's source and any other cell takes the new one;
  the source that gave way is quoted right below;
- a cell that the learner added stays behind the cell it stood behind;
- a changed cell that the new version no longer has is kept at the end, under a heading.

Outputs are not carried: they belong to the old version, and running the notebook makes them again.
"""

import json
from itertools import count
from pathlib import Path
from typing import Any

Cell = dict[str, Any]
Notebook = dict[str, Any]
STUBS = ("raise NotImplementedError", "Your answer here")
HEADING = "## Kept from your earlier copy\n\nThe new version of this lesson has no place for these cells."


class NotANotebook(ValueError):
    """A file that cannot be read as a notebook; the message names it and says why."""


def read(path: Path) -> Notebook:
    """The notebook in a file.

    Raises:
        NotANotebook: it is no notebook of format 4, or it is torn.
    """
    try:
        notebook = json.loads(path.read_text("utf-8"))
        for cell in notebook["cells"]:
            _text(cell)
        return notebook
    except UnicodeDecodeError:
        raise NotANotebook(f"{path.name} is not a notebook: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NotANotebook(f"{path.name} is damaged at line {error.lineno}") from None
    except (KeyError, TypeError, AttributeError):
        pass
    raise NotANotebook(f"{path.name} is not a notebook of format 4")


def same(one: Notebook, other: Notebook) -> bool:
    """Whether both have the same cells, whatever was run and however the file is laid out."""
    return [(_id(c), *_text(c)) for c in one["cells"]] == [(_id(c), *_text(c)) for c in other["cells"]]


def is_edited(given: Notebook, mine: Notebook) -> bool:
    """Whether the learner changed or added a cell (a deleted cell is nothing that could be lost)."""
    return any(_is_mine(cell, given) for cell in mine["cells"])


def carry(given: Notebook, mine: Notebook, new: Notebook) -> Notebook:
    """The new version with everything in it that the learner did."""
    homes = _homes(given, new)
    given, mine = _moved(given, homes), _moved(mine, homes)
    old, work = _by_id(given), _by_id(mine)
    added, orphans = _place(given, mine, set(_by_id(new)))
    cells = added.pop("", [])
    for cell in new["cells"]:
        key = _id(cell)
        edited = key in work and _is_mine(work[key], given)
        cells += _meet(old.get(key, cell), work[key], cell) if edited else [cell]
        cells += added.pop(key, [])
    if orphans:
        cells += [_markdown(HEADING), *orphans]
    return {**new, "cells": _with_unique_ids(cells)}


def _homes(given: Notebook, new: Notebook) -> dict[str, str]:
    """For each id that was handed out, the id of the same cell in the new version, or one that is not in it."""
    old, now = _by_id(given), _by_id(new)
    homes = {key: key for key in old if key in now and (_text(old[key]) == _text(now[key]) or _has_stub(old[key]))}
    free = {_text(cell): key for key, cell in reversed(now.items()) if key not in homes}
    homes |= {key: free.pop(_text(cell)) for key, cell in old.items() if key not in homes and _text(cell) in free}
    taken = {*homes.values()}
    return {key: homes.get(key, key if key in now and key not in taken else f"was-{key}") for key in old}


def _moved(notebook: Notebook, homes: dict[str, str]) -> Notebook:
    """The notebook with the ids that its cells have in the new version."""
    return {**notebook, "cells": [{**cell, "id": homes.get(_id(cell), _id(cell))} for cell in notebook["cells"]]}


def _has_stub(cell: Cell) -> bool:
    """Whether the learner is to write in this cell."""
    return any(stub in _text(cell)[1] for stub in STUBS)


def _place(given: Notebook, mine: Notebook, known: set[str]) -> tuple[dict[str, list[Cell]], list[Cell]]:
    """The learner's own cells by the id of the cell they stand behind, and those that have lost their place."""
    added: dict[str, list[Cell]] = {}
    orphans, anchor, first = [], "", _by_id(mine)
    for cell in mine["cells"]:
        key = _id(cell)
        if key in known and cell is first.get(key):
            anchor = key
        elif not _is_mine(cell, given):
            continue
        elif key in _by_id(given) and cell is first[key]:
            orphans.append(_bare(cell))
        else:
            added.setdefault(anchor, []).append(_bare(cell) | ({"id": ""} if key in known else {}))
    return added, orphans


def _meet(given: Cell, mine: Cell, new: Cell) -> list[Cell]:
    """A cell that the learner changed, against the same cell in the new version."""
    kept = {**new, "source": mine["source"]} if mine["cell_type"] == new["cell_type"] else _bare(mine)
    if _text(new) in (_text(given), _text(mine)):
        return [kept]
    if _has_stub(given):
        return [kept, _quote("This exercise changed. It now starts from", new)]
    return [new, _quote("You had changed this cell to", mine)]


def _is_mine(cell: Cell, given: Notebook) -> bool:
    """Whether the learner wrote this cell, or changed it; an empty one holds nothing that could be lost."""
    old = _by_id(given)
    if _id(cell) in old:
        return bool(_text(cell)[1]) and _text(cell) != _text(old[_id(cell)])
    return bool(_text(cell)[1]) and _text(cell) not in map(_text, old.values())


def _id(cell: Cell) -> str:
    """The cell's id; Colab keeps it in the metadata."""
    return str(cell.get("id") or cell.get("metadata", {}).get("id") or "")


def _text(cell: Cell) -> tuple[str, str]:
    return cell["cell_type"], "".join(cell["source"]).rstrip()


def _by_id(notebook: Notebook) -> dict[str, Cell]:
    """The first cell with each id."""
    return {_id(cell): cell for cell in reversed(notebook["cells"]) if _id(cell)}


def _bare(cell: Cell) -> Cell:
    """A cell of the learner's as one of the new version: with a valid id and without outputs."""
    bare = {"id": _id(cell), "cell_type": cell["cell_type"], "metadata": {}, "source": cell["source"]}
    return bare | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {})


def _markdown(text: str) -> Cell:
    return {"id": "", "cell_type": "markdown", "metadata": {}, "source": text}


def _quote(title: str, cell: Cell) -> Cell:
    language = "python" if cell["cell_type"] == "code" else ""
    fence = "`" * 4
    return _markdown(f"*{title}:*\n\n{fence}{language}\n{_text(cell)[1]}\n{fence}")


def _with_unique_ids(cells: list[Cell]) -> list[Cell]:
    """The cells, each with an id that no other has."""
    taken: set[str] = set()
    fresh = (f"kept-{number}" for number in count(1))
    for cell in cells:
        if _id(cell) in taken or not 0 < len(_id(cell)) <= 64:
            cell["id"] = next(key for key in fresh if key not in taken)
        taken.add(_id(cell))
    return cells
