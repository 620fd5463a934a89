"""What the text of the course is held to everywhere: links that lead somewhere, no path of one machine, kind words."""

import re
from collections.abc import Iterator
from pathlib import Path

CODE = re.compile(r"(?ms)^```.*?^```|`[^`\n]*`")
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)>\s]+)>?[^)]*\)")
HTML_LINK = re.compile(r"""<(?:img|a)\b[^>]*?\b(?:src|href)=["']([^"']+)""")
MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:work|root|tmp|home|Users)/\w|[A-Z]:\\Users\\)[^\s\"')]*")
UNKIND = re.compile(r"\b(?:simply|obviously)\b", re.IGNORECASE)
BUILT = re.compile(r"(?:notebooks|solutions)/(\d\d_\w+)\.ipynb")


def words(markdown: str) -> int:
    """Words that are read: code blocks, link targets, tags and the rules of tables do not count, a formula is one."""
    text = re.sub(r"(?ms)^```.*?^```|<!--.*?-->|<[^>]+>", " ", markdown)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " formula ", text, flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return sum(bool(re.search(r"\w", word)) for word in text.split())


def problems(markdown: str, folder: Path, root: Path) -> Iterator[str]:
    """What is wrong with a text.

    Args:
        markdown: the text.
        folder: where its relative links start.
        root: top folder of the project.
    """
    text = CODE.sub(" ", markdown)
    yield from (f"link to {target}, which does not exist" for target in dead_links(text, folder, root))
    yield from (f"a picture without alternative text: {m[3]}" for m in LINK.finditer(text) if m[1] and not m[2].strip())
    yield from (f"a path of one machine: {found[0]}" for found in MACHINE_PATH.finditer(markdown))
    yield from (f"{found[0]!r} tells a struggling reader off: leave it out" for found in UNKIND.finditer(text))


def dead_links(text: str, folder: Path, root: Path) -> Iterator[str]:
    """Relative links to nowhere; a notebook that will be built from a lesson counts as there."""
    for target in [m[3] for m in LINK.finditer(text)] + HTML_LINK.findall(text):
        if re.match(r"[a-z][a-z+.-]*:|#", target):
            continue
        path = (root / target[1:] if target.startswith("/") else folder / target).resolve()
        path = path.with_name(path.name.partition("#")[0])
        inside = path.is_relative_to(root.resolve())
        built = BUILT.fullmatch(path.relative_to(root.resolve()).as_posix()) if inside else None
        if not inside or not (path.exists() or (built and (root / "lessons" / f"{built[1]}.py").exists())):
            yield target
