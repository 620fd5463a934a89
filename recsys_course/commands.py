"""What the subcommands of ``recsys-course`` do; each returns an exit status, or None for 0.

What a subcommand needs is imported inside it, so that the command starts at once.
"""

import itertools
import operator
import shutil
import signal
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from recsys_course import learner

if TYPE_CHECKING:
    from recsys_course import jupyter


class UserError(Exception):
    """What went wrong, in one sentence for the person at the keyboard."""


def expected_errors() -> tuple[type[Exception], ...]:
    """The errors whose message is meant for the person at the keyboard."""
    from recsys_course import carry, jupyter
    from recsys_course.assets import AssetError
    from recsys_course.interview.outcome import PracticeError

    return UserError, learner.LearnerError, carry.NotANotebook, jupyter.JupyterError, AssetError, PracticeError


def lab(browser: bool = True, port: int | None = None) -> None:
    """Fetch the data, copy the new lessons, open JupyterLab and stay until it ends."""
    from recsys_course import jupyter

    course = learner.find_course()
    _fetch_course_data()
    for name in learner.copy_new(course):
        print(f"my/{name}: new")
    if late := learner.outdated(course):
        print(f"There is a new version of {', '.join(late)}: `recsys-course update` brings it with your answers.")
    server = jupyter.start(course, port)
    try:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        _show_lab(server, course, browser)
        server.process.wait()
    except KeyboardInterrupt:
        print("\nJupyterLab stops; your work is in my/.")
    finally:
        server.stop()


def next_() -> None:
    """Name the one thing to do now."""
    from recsys_course import next_step, progress
    from recsys_course.interview import commands as interview

    if practice := interview.next_():
        print(practice)
        return
    passed = {event["exercise"] for event in progress.events() if event["outcome"] == "passed"}
    print(next_step.next_step(learner.find_course(), passed))


def progress(export: Path | None = None, merge: Path | None = None) -> None:
    """Show, export or import the learner's record."""
    from recsys_course import journal, progress
    from recsys_course.interview import design_notes, reviews

    journals = (progress.JOURNAL, reviews.JOURNAL, design_notes.JOURNAL)
    try:
        if export:
            n_events = journal.export(journals, export)
            print(f"{export} holds your {n_events} events: `recsys-course progress --import` reads it elsewhere.")
        elif merge:
            print(f"{journal.merge(journals, merge)} events of {merge} were new to your record.")
        else:
            print(progress.report())
    except OSError as error:
        raise UserError(f"{error.filename or journal.folder()}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def update() -> int:
    """Bring the learner's copies up to date."""
    changes = learner.update(learner.find_course())
    if not changes:
        print("Everything in my/ is up to date.")
    return _report(changes)


def reset(lesson: str) -> int:
    """Back up one lesson and start it afresh."""
    return _report(learner.reset(learner.find_course(), lesson))


def data(names: list[str], all: bool, list: bool, path: bool, bundle: Path | None) -> int:
    """List, fetch, locate or bundle data sets and models."""
    from recsys_course import assets

    if list:
        return _list_assets()
    if path:
        print("\n".join(str(assets.cache_dir() / name) for name in names or [""]))
        return 0
    wanted = ("core", "later", "large") if all else ("core",)
    names = names or [name for name, asset in assets.ASSETS.items() if asset.group in wanted]
    if bundle:
        return _bundle(bundle, names)
    return max(_fetch_one(name) for name in names)


def clean(yes: bool = False) -> None:
    """Remove the fetched data, the vectors computed from it and the learner's record, after asking."""
    from recsys_course import assets, journal, progress
    from recsys_course.interview import design_notes, reviews

    cache = assets.cache_dir()
    paths = [cache / file for name in assets.ASSETS for file in (name, f".{name}.work")]  # fetched, half fetched
    paths += [cache / "vectors", journal.folder() / "coding", *progress.JOURNAL.files, *reviews.JOURNAL.files]
    paths += [journal.folder() / "mocks", *design_notes.JOURNAL.files]
    paths = [path for path in paths if path.exists()]
    if not paths:
        print("There is nothing to remove.")
        return
    for path in paths:
        print(f"{_size(path) / 1e6:8.1f} MB  {path}")
    if not yes and not _agrees("Remove all of this? Your notebooks in my/ stay. [y/N] "):
        print("Nothing was removed.")
        return
    for path in [*paths, *(cache / f".{name}.lock" for name in assets.ASSETS)]:
        if path.exists():
            _remove(path)
    print("Removed.")


def claims() -> None:
    """List what the course states and where it is proved."""
    from recsys_course import claims

    try:
        place = operator.itemgetter("where")
        by_place = itertools.groupby(sorted(claims.index(), key=place), key=place)
    except FileNotFoundError as error:
        raise UserError(str(error)) from error
    for where, stated in by_place:
        _print_table((where, "proves that"), [(claim["id"], claim["text"]) for claim in stated])


def lint(complete: bool = False) -> int:
    """Check the question bank."""
    from recsys_course.interview import lint

    problems = lint.lint(complete=complete)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(lint.coverage())
    return 1 if problems else 0


def _fetch_course_data() -> None:
    """A lesson can be read without data: say that it is missing, and go on."""
    from recsys_course import assets

    try:
        assets.fetch("ml-100k")
    except assets.AssetError as error:
        print(f"The film ratings are not here yet: {error}.", file=sys.stderr)


def _show_lab(server: "jupyter.Server", course: Path, browser: bool) -> None:
    from recsys_course import jupyter

    copy = learner.current(course, "00")
    url = server.url(copy.name)
    print(f"JupyterLab runs, with my/{copy.name} at\n\n    {url}\n")
    if browser and jupyter.has_screen():
        webbrowser.open(url)
    else:
        print("Open that address in a browser on this computer. If this computer is far away, first type on yours:")
        print(f"    ssh -L {server.port}:{jupyter.HOST}:{server.port} THE-FAR-COMPUTER")
    print("Ctrl+C stops it.", flush=True)


def _list_assets() -> int:
    from recsys_course import assets

    rows = [
        (a.name, f"{a.size / 1e6:.1f}", "yes" if a.cached else "no", f"{a.title}\n{a.licence}\nfrom {a.sources}")
        for a in assets.list_assets()
    ]
    _print_table(("name", "MB", "here", "what it is, its licence and its source"), rows)
    print(f"What is here is in {assets.cache_dir()}")
    return 0


def _fetch_one(name: str) -> int:
    from recsys_course import assets

    try:
        print(assets.fetch(name), flush=True)
    except assets.AssetError as error:
        print(f"recsys-course: {error}", file=sys.stderr)
        return 1
    return 0


def _bundle(folder: Path, names: list[str]) -> int:
    from recsys_course import assets

    for path in assets.bundle(folder, names):
        print(path)
    print(f"Carry {folder} to the other computer and set RECSYS_COURSE_CACHE to it there.")
    return 0


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def _agrees(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:
        raise UserError("nobody is there to ask: `recsys-course clean --yes` removes it without a question") from None


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        raise UserError(f"{path} cannot be removed ({error.strerror}): mend that and try again") from error


def _report(changes: list[learner.Change]) -> int:
    for change in changes:
        print(change.message, file=sys.stdout if change.ok else sys.stderr)
    return 0 if all(change.ok for change in changes) else 1


def _print_table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for number, title in enumerate(titles):
        table.add_column(title, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
