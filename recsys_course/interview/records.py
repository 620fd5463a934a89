"""What the files of all rounds have in common: found by an id, with headings that must be there, read into a record."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from recsys_course.interview.bank import BankError, Document, read_document

Record = TypeVar("Record")


def by_id(name: str, files: dict[str, Path], kind: str, error: type[Exception]) -> Path:
    """The file with this id, in whatever case it is typed.

    Args:
        name: the id.
        files: by id.
        kind: what there would be, such as ``coding task``.
        error: to raise where there is none, with those that there are.
    """
    if name.upper() not in files:
        raise error(f"there is no {kind} {name!r}: there are {', '.join(files)}")
    return files[name.upper()]


def by_folder(files: Iterable[Path]) -> dict[str, Path]:
    """Files by the id that begins the name of their folder, in order."""
    return {path.parent.name.partition("-")[0]: path for path in sorted(files)}


def read_headed(path: Path, headings: Sequence[str]) -> Document:
    """Read a file that must have these headings.

    Raises:
        BankError: one is missing, or the file cannot be cut into sections.
    """
    document = read_document(path)
    if missing := [heading for heading in headings if heading not in document.sections]:
        raise BankError(f"{path}:1: heading `## {missing[0]}` is missing")
    return document


def record_of(make: Callable[..., Record], document: Document, **fields: object) -> Record:
    """A record with the keys of the front matter and these fields.

    Raises:
        BankError: the front matter has a key too many or too few.
    """
    meta = {key: tuple(value) if isinstance(value, list) else value for key, value in document.meta.items()}
    try:
        return make(**meta, **fields)
    except TypeError as error:
        name = f"{make.__name__}.__init__() "
        raise BankError(f"{document.path}:1: front matter: {str(error).replace(name, '')}") from None
