"""Has the code under test print its symptom; run like a test, beside the code."""

from answer import symptom


def test_symptom():
    """The symptom is printed."""
    symptom()
