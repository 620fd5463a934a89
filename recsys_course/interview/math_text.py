"""Formulas of the bank, written in LaTeX between dollar signs, as text that a terminal can show."""

import re

FORMULA = re.compile(r"\$(?=\S)([^$]+?)(?<=\S)\$(?!\d)")  # as Pandoc reads it: "$5 and $6" is no formula
GROUP = r"(?:\{([^{}]*)\}|(\w))"
SYMBOLS = {
    **{"alpha": "α", "delta": "δ", "eta": "η", "lambda": "λ", "mu": "μ", "sigma": "σ", "tau": "τ"},
    **{"sum": "Σ", "prod": "Π", "times": "×", "cdot": "·", "odot": "⊙", "approx": "≈", "leftarrow": "←"},
    **{"cap": "∩", "cup": "∪", "langle": "⟨", "rangle": "⟩", "left": "", "right": ""},
}


def plain(text: str) -> str:
    """The text with its formulas as words and signs, such as ``log p - log q`` and ``n/(n+λ)``."""
    return FORMULA.sub(lambda found: _plain(found[1]), text)


def _plain(formula: str) -> str:
    """One formula; a command that is not known stays as its name."""
    text = re.sub(r"\\text\{([^{}]*)\}", r"\1", formula)
    text = re.sub(rf"\\frac\s*{GROUP}{GROUP}", lambda m: f"{_group(m[1] or m[2])}/{_group(m[3] or m[4])} ", text)
    text = re.sub(rf"\\sqrt\s*{GROUP}", lambda m: f"√{_group(m[1] or m[2])}", text)
    text = re.sub(r"\^(?:\\top|\{\\top\})", "ᵀ", text).replace("\\|", "‖").replace("\\,", " ")
    text = re.sub(r"(?<=[_^])\{([^{}]*)\}", lambda m: _group(m[1]), text)
    text = re.sub(r"\\log\s*(?=(\()?)", lambda m: " log" if m[1] else " log ", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda m: SYMBOLS.get(m[1], m[1]), text)
    return re.sub(r" {2,}", " ", text).replace("( ", "(").strip()


def _group(text: str) -> str:
    """What stood between braces; in parentheses where it is more than one word or number."""
    is_one = re.fullmatch(r"\\?\w+|\([^()]*\)", text.strip())
    return text.strip() if is_one else f"({text.strip()})"
