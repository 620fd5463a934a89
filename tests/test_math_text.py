"""Formulas in a terminal: no LaTeX is left, and what is no formula stays as it is."""

import pytest

from recsys_course.interview import bank
from recsys_course.interview.math_text import FORMULA, plain


@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"$\log p - 2\log q$", "log p - 2 log q"),
        (r"$-\log\sigma(s_i - s_j)$", "- log σ(s_i - s_j)"),
        (r"$\log p - \log(nq)$", "log p - log(nq)"),
        (r"$10^8$ items, $7.0 \times 10^{11}$", "10^8 items, 7.0 × 10^11"),
        (r"$n/(n+\lambda)$", "n/(n+λ)"),
        (r"$QK^\top/\sqrt{d}$", "QKᵀ/√d"),
        (r"$\sqrt{M^2 - \|x\|^2}$", "√(M^2 - ‖x‖^2)"),
        (r"$W + \frac{\alpha}{r}BA$", "W + α/r BA"),
        (r"$\frac12 x$", "1/2 x"),
        (r"$\sum_{(u,i)} r_{ui}$ and $x_{l+1}$", "Σ_(u,i) r_ui and x_(l+1)"),
        ("it costs $5 and $6 a day", "it costs $5 and $6 a day"),
    ],
)
def test_a_formula_is_shown_as_signs_and_words(latex, shown):
    assert plain(latex) == shown


def test_no_formula_of_the_bank_keeps_a_backslash_or_a_brace():
    texts = [path.read_text(encoding="utf-8") for path in bank.question_files()]
    formulas = [formula for text in texts for formula in FORMULA.findall(text)]
    assert len(formulas) > 60
    assert [formula for formula in formulas if set("\\{}$") & set(plain(f"${formula}$"))] == []
