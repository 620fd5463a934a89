r"""Markdown of the bank as the HTML of an Anki field, with formulas for Anki's MathJax.

Everything that could be taken for a tag, a template or a cloze deletion is written as an HTML entity; a browser turns
it back before MathJax reads the formula.

>>> to_html(r"If **p < q** then $\frac{a}{b_{i}}$ [test: C03.signs].")
'<p>If <strong>p &lt; q</strong> then \\(\\frac{a}{b_{i&#125;&#125;\\).</p>'
"""

import html
import re
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from recsys_course.interview.bank import file_names
from recsys_course.interview.proofs import MARK, show_marks

FORMULA = re.compile(r"\$\$(?P<display>[^$]+)\$\$|\$(?P<inline>[^$]+)\$")
CHINESE = "\u2e80-\u9fff\u3000-\u303f\uff00-\uffef"
CHINESE_BREAK = re.compile(rf"(?<=[{CHINESE}])[ \t]*\n[ \t]*(?=[{CHINESE}])")


def to_html(markdown: str) -> str:
    """Return the HTML of paragraphs, lists, tables, emphasis, code, links and formulas; tags in the text stay text.

    Marks of claims and tests are left out, since nothing in Anki can show them; opinions and sources become small
    print. A link into the course, which Anki cannot follow, becomes the name of the file.
    """
    text = re.sub(r"\s*" + MARK.pattern, _kept_mark, markdown)
    text = CHINESE_BREAK.sub("", file_names(text))
    return _no_templates(_parser().render(text).strip())


def to_text(plain: str) -> str:
    """Return plain text as HTML."""
    return _no_templates(html.escape(plain))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "code"])
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("escape", "mark", _mark)
    return parser


def _formula(state: StateInline, silent: bool) -> bool:
    if not (match := FORMULA.match(state.src, state.pos)):
        return False
    if not silent:
        left, right = (r"\[", r"\]") if match["display"] else (r"\(", r"\)")
        tex = html.escape(match["display"] or match["inline"], quote=False)
        state.push("html_inline", "", 0).content = left + tex + right
    state.pos = match.end()
    return True


def _mark(state: StateInline, silent: bool) -> bool:
    if not (match := MARK.match(state.src, state.pos)):
        return False
    if not silent:
        state.push("html_inline", "", 0).content = show_marks(match[0]).strip()
    state.pos = match.end()
    return True


def _kept_mark(mark: re.Match) -> str:
    is_kept = mark["word"] == "opinion" or mark["kind"] == "source"
    return f" {mark[0].strip()}" if is_kept else ""


def _no_templates(text: str) -> str:
    return text.replace("{{", "&#123;&#123;").replace("}}", "&#125;&#125;")
