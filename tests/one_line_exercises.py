"""Exercises and answers in a line, for the tests of the check."""

import pytest

import toy_exercises
from recsys_course.checks import CheckFailed, Exercise, bind

RECALL = toy_exercises.EXERCISES[0]


def exercise(reference, *cases, **changes):
    """An exercise whose function is called ``answer``, with nothing else of interest."""
    texts = [((lambda *args, text=text: text), text) for text in "abcd"]
    given = {"hidden": cases, "hints": ("a", "b", "c"), "mistakes": texts, "time_limit": 0.25} | changes
    return Exercise(id="99.answer", reference=reference, cases=cases * 2, **given)


def accepts(reference, answer, *cases, **changes):
    """Whether the check of such an exercise lets an answer pass."""
    answer.__name__ = "answer"
    try:
        bind([exercise(reference, *cases or ((),), **changes)])[0](answer)
    except CheckFailed:
        return False
    return True


def failure(answer, of=RECALL):
    answer.__name__ = of.name
    with pytest.raises(CheckFailed) as caught:
        bind([of])[0](answer)
    return str(caught.value).splitlines()
