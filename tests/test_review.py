import pytest

from recsys_course import progress
from recsys_course.review import Review


def specimen(hits, k):
    total = sum(hits)
    share = total / (k + 1)
    return share


REVIEW = Review("99.review", {"(k + 1)": "The list has k places."}, {"sum(hits)": "Counting hits is right."})


def test_a_found_fault_is_explained_and_passes(capsys):
    REVIEW.mark(specimen, [3])
    out = capsys.readouterr().out
    assert "✓ 99.review: 1 of 1 faults found, 0 marks were wrong" in out and "The list has k places." in out
    assert progress.summary()["99.review"].passed


def test_marking_every_line_does_not_pass(capsys):
    REVIEW.mark(specimen, [1, 2, 3, 4])
    out = capsys.readouterr().out
    assert "1 of 1 faults found, 3 marks were wrong" in out and "✓" not in out
    assert "line 2: is right. Counting hits is right." in out


def test_a_missed_fault_is_not_given_away(capsys):
    REVIEW.mark(specimen, [2])
    assert "k places" not in capsys.readouterr().out


def test_reveal_explains_what_was_missed(capsys):
    REVIEW.mark(specimen, [], reveal=True)
    assert "line 3: The list has k places." in capsys.readouterr().out


def test_an_empty_list_is_no_attempt(capsys):
    REVIEW.mark(specimen, [])
    assert "no line marked yet" in capsys.readouterr().out
    assert progress.events() == []


def test_a_line_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="lines 1 to 4; there is no line 9"):
        REVIEW.mark(specimen, [9])


def test_a_fault_that_left_the_specimen_is_noticed():
    with pytest.raises(ValueError, match="must stand in just one line, found 0"):
        Review("99.review", {"not there": "gone"}).mark(specimen, [1])


def test_show_numbers_the_lines(capsys):
    REVIEW.show(specimen)
    assert capsys.readouterr().out.splitlines()[2] == "  3      share = total / (k + 1)"


def test_a_record_that_cannot_be_written_keeps_no_review_from_being_judged(capsys, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress, "record", full)
    REVIEW.mark(specimen, [3])
    assert "1 of 1 faults found" in capsys.readouterr().out
