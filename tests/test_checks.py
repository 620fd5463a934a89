"""The check itself: what it says, what it accepts in another form, what it does not fall for, and what it survives."""

import contextlib
import dataclasses
import functools
import gc
import sys
import warnings

import pandas as pd
import pytest
import torch

import toy_exercises
from one_line_exercises import exercise, failure
from recsys_course import progress
from recsys_course.checks import CheckFailed, bind
from recsys_course.checks.compare import difference
from recsys_course.checks.plain import plain

RECALL, COUNT_GENRES, RUNNING_MEAN, _ = toy_exercises.EXERCISES
check, hint, solution = toy_exercises.check, toy_exercises.hint, toy_exercises.solution


class TestWhatALearnerReads:
    def test_a_right_answer_gets_one_line(self, capsys):
        check(toy_exercises.recall)
        assert capsys.readouterr().out == "✓ 99.recall: 4 cases passed\n"

    def test_a_wrong_answer_gets_the_smallest_failing_case_and_the_misconception(self):
        assert failure(lambda hits, n_relevant: hits.float().mean(dim=1)) == [
            "✗ 99.recall(hits=[[True, False, True]], n_relevant=[4]): expected [0.5], got [0.6667]",
            "  You divided by k: that is precision, not recall.",
        ]

    def test_the_traceback_in_a_notebook_is_these_two_lines(self):
        error = CheckFailed("one\n  two")
        assert error._render_traceback_() == ["one", "  two"]

    def test_an_unknown_mistake_leads_to_the_hints(self):
        assert failure(lambda hits, n: hits.sum(dim=1) / (n + 1))[1] == "  hint(recall) helps."

    def test_the_smallest_case_is_shown_even_if_it_comes_last(self):
        of = exercise(lambda a: sum(a), ([1, 2, 3, 4],), ([5, 6],))
        assert failure(lambda a: 0, of)[0] == "✗ 99.answer(a=[5, 6]): expected 11, got 0"

    def test_a_large_result_is_compared_at_its_first_difference(self):
        of = exercise(lambda n: torch.arange(n * n).reshape(n, n), (10,))
        line = failure(lambda n: torch.arange(n * n).reshape(n, n) + torch.eye(n, dtype=torch.long) * 3, of)[0]
        assert line == "✗ 99.answer(n=10): at [0, 0]: expected 0, got 3 (10 of 100 differ)"

    def test_numbers_get_as_many_digits_as_it_takes_to_tell_them_apart(self):
        assert "expected 0.66666667, got 0.6667" in failure(lambda: 0.6667, exercise(lambda: 2 / 3, ()))[0]

    def test_an_exception_is_told_with_the_learners_own_line(self):
        def recall(hits, n_relevant):
            ratio = n_relevant / hits  # a line of the learner
            return ratio.nonsense()

        first = failure(recall)[0]
        assert "expected [0.5], but line " in first
        assert "`return ratio.nonsense()`, raised AttributeError: 'Tensor' object has no attribute" in first

    def test_an_exception_deep_in_a_library_is_told_with_the_line_that_called_it(self):
        first = failure(lambda hits, n_relevant: pd.DataFrame({"a": 1}))[0]
        assert "`first = failure(lambda hits, n_relevant: pd.DataFrame" in first
        assert "raised ValueError" in first

    def test_each_kind_of_nothing_gets_its_own_sentence(self):
        assert failure(lambda hits, n: None)[1].startswith("  Is a `return` missing?")
        assert failure(lambda hits, n: n * torch.nan)[1].startswith("  nan is not a number")
        assert failure(lambda hits, n: n * torch.inf)[1].startswith("  inf is beyond all numbers")

    def test_a_number_where_nothing_is_defined_is_told_apart_from_a_wrong_number(self):
        advice = failure(lambda hits, n: (hits.sum(dim=1) / n).nan_to_num(0))[1]
        assert advice.startswith("  Where the value is not defined, nan is expected.")

    def test_wrong_types_and_shapes_are_named(self):
        assert "expected shape [1], got shape [1, 1]" in failure(lambda hits, n: torch.zeros(len(n), 1))[0]
        assert "expected numbers of shape [1], got a str: 'a'" in failure(lambda hits, n: "a")[0]
        assert "expected shape [1], got a single number (0.5)" in failure(lambda hits, n: 0.5)[0]
        assert "the key 'Drama' is missing; got 'Animation'" in failure(lambda films: {"Animation": 1}, COUNT_GENRES)[0]

    def test_what_makes_an_iterator_is_named(self):
        async def waits(hits, n):
            return 0

        assert "`yield` makes a generator" in failure(lambda hits, n: (yield 1))[1]
        with warnings.catch_warnings(record=True) as complaints:
            assert "write `def`" in failure(waits)[1]
            gc.collect()
        assert not complaints  # that nobody awaited the coroutine
        assert "parentheses of a call" in failure(lambda hits, n: hits.sum)[1]
        assert "Wrap it in list" in failure(lambda hits, n: map(float, n))[1]

    def test_a_changed_input_is_named(self):
        def recall(hits, n_relevant):
            n_relevant += 1
            return hits.sum(dim=1) / (n_relevant - 1)

        first, second = failure(recall)
        assert first.endswith("it changed its input `n_relevant`")
        assert second.startswith("  Whoever calls it still needs `n_relevant`: work on a copy.")

    def test_a_function_that_takes_other_arguments_is_told_so_at_once(self):
        first, second = failure(lambda hits: hits)
        assert "cannot be called as recall(hits, n_relevant): too many positional arguments" in first
        assert second == "  Begin it with `def recall(hits, n_relevant):` again."

    def test_what_it_printed_in_the_failing_case_is_shown_from_the_beginning(self, capsys):
        def recall(hits, n_relevant):
            for row in range(30):
                print("row", row)

        failure(recall)
        lines = capsys.readouterr().out.splitlines()
        assert lines == ["recall printed:", *(f"row {row}" for row in range(10)), "..."]

    @pytest.mark.filterwarnings("ignore:slow")
    def test_what_a_right_answer_prints_is_not_shown(self, capsys):
        def recall(hits, n_relevant):
            print("debug", file=sys.stderr)
            warnings.warn("slow", stacklevel=1)
            return hits.sum(dim=1) / n_relevant

        check(recall)
        assert capsys.readouterr() == ("✓ 99.recall: 4 cases passed\n", "")

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ("recall", "without quotes: check(recall)"),
            (torch.zeros(1), "this takes a function, not Tensor: check(recall)"),
            (lambda hits, n: 0, "no exercise of this lesson is named '<lambda>'; they are: recall, count_genres"),
        ],
    )
    def test_check_of_something_else_is_one_clear_sentence(self, given, sentence):
        with pytest.raises(CheckFailed) as caught:
            check(given)
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


class TestMisconceptions:
    def test_the_mistake_must_explain_the_cases_that_pass_as_well(self):
        """0 where nothing is relevant is no division by k, though the two agree on that one user."""
        of = exercise(
            lambda hits, n: hits / n if n else -1.0, (1, 2), (2, 4), (0, 0), (3, 3),
            mistakes=((lambda hits, n: hits / 4, "divided by k"), *RECALL.mistakes[1:]),
        )  # fmt: skip
        assert failure(lambda hits, n: hits / n if n else 0.0, of)[1] == "  hint(answer) helps."

    def test_a_mistake_with_one_case_mended_is_still_recognised(self):
        of = exercise(
            lambda hits, n: hits / n if n else -1.0, (1, 2), (2, 3), (0, 0), (3, 3),
            mistakes=((lambda hits, n: hits / 4, "divided by k"), *RECALL.mistakes[1:]),
        )  # fmt: skip
        assert failure(lambda hits, n: hits / 4 if n else -1.0, of)[1] == "  divided by k"

    def test_raising_the_same_exception_is_the_same_mistake(self):
        of = exercise(
            lambda n: 1 / n if n else 0.0, (0,), (2,),
            mistakes=((lambda n: 1 / n, "no guard against 0"), *RECALL.mistakes[1:]),
        )  # fmt: skip
        assert failure(lambda n: 2 / (2 * n), of)[1] == "  no guard against 0"
        assert failure(lambda n: [1 / n][5], of)[1] == "  hint(answer) helps."

    def test_a_changed_input_comes_before_what_is_wrong_besides(self):
        def recall(hits, n_relevant):
            return hits.logical_not_().logical_not().sum(dim=1) / hits.shape[1]

        assert failure(recall)[1].startswith("  Whoever calls it still needs `hits`")

    def test_a_buffer_that_is_filled_again_does_not_hide_the_mistake(self):
        buffer = torch.zeros(1)
        off_by_one = (lambda n: torch.tensor([n + 1.0]), "one too many")
        of = exercise(lambda n: torch.tensor([float(n)]), (1,), (5,), mistakes=(off_by_one, *RECALL.mistakes[1:]))
        assert failure(lambda n: buffer.fill_(n + 1), of)[1] == "  one too many"

    def test_changing_the_input_can_be_a_mistake_with_its_own_message(self):
        def in_place(items):
            items.sort()
            return items

        of = exercise(sorted, ([2, 1],), mistakes=((in_place, "sorted in place"), *RECALL.mistakes[1:]))
        assert failure(lambda items: items.sort() or items, of)[1] == "  sorted in place"


class TestGrading:
    def test_hidden_cases_are_used_only_when_grading(self):
        def recall(hits, n_relevant):
            return hits.sum(dim=1) / n_relevant * (1.0 if len(hits) < 10 else 0.0)

        check(recall)
        with pytest.raises(CheckFailed):
            check(recall, graded=True)

    def test_no_environment_variable_makes_a_wrong_answer_right(self, monkeypatch):
        for name in ("GRADED", "RECSYS_COURSE_GRADED", "NBGRADER", "CI"):
            monkeypatch.setenv(name, "1")
        assert "✗" in failure(toy_exercises.precision)[0]

    def test_a_teachers_own_record_is_left_alone(self):
        check(toy_exercises.recall, graded=True)
        assert progress.events() == []


class TestHintsAndSolutions:
    @pytest.fixture
    def fresh(self):
        return bind(toy_exercises.EXERCISES)

    def test_hints_come_one_after_the_other(self, fresh, capsys):
        for answer in (toy_exercises.recall, "recall", toy_exercises.recall, "recall"):
            fresh[1](answer)
        lines = capsys.readouterr().out.splitlines()
        assert [line[:11] for line in lines] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Hint 3 of 3"]
        assert lines[0] == "Hint 1 of 3: Count along the rows."

    def test_a_hint_can_be_chosen(self, fresh, capsys):
        fresh[1]("recall", 2)
        assert capsys.readouterr().out.startswith("Hint 2 of 3: Divide")
        with pytest.raises(CheckFailed, match="has hints 1 to 3, none with number 4"):
            fresh[1]("recall", 4)

    def test_the_solution_waits_for_a_try(self, fresh, capsys):
        fresh[2]("recall")
        assert capsys.readouterr().out.startswith("Try it first")
        fresh[2]("recall")
        assert capsys.readouterr().out.startswith("def recall(hits, n_relevant):\n")

    def test_the_solution_comes_at_once_after_a_try_but_not_after_a_stub(self, fresh, capsys):
        def count_genres(films):
            raise NotImplementedError

        fresh[0](count_genres)
        fresh[2](count_genres)
        assert "Try it first" in capsys.readouterr().out
        fresh[0](toy_exercises.recall)
        fresh[2](toy_exercises.recall)
        assert "def recall" in capsys.readouterr().out

    def test_everything_is_recorded(self, fresh):
        with contextlib.suppress(CheckFailed):
            fresh[0](functools.wraps(toy_exercises.recall)(lambda hits, n: 0))
        fresh[1]("recall")
        fresh[2]("recall")
        fresh[0](toy_exercises.recall)
        assert [event["outcome"] for event in progress.events()] == ["failed", "hint", "solution", "passed"]


class TestRecords:
    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"id": "2.recall"}, "not like '02.paired-bootstrap'"),
            ({"hints": ("one", "two")}, "needs 3 hints"),
            ({"hints": ("one", "two", "word " * 41)}, "1 to 40 words"),
            ({"mistakes": RECALL.mistakes[:3]}, "needs 4 mistakes"),
            ({"mistakes": RECALL.mistakes[:3] + RECALL.mistakes[:1]}, "message of its own"),
            ({"cases": RECALL.cases[:1]}, "cases must be 2 or more"),
            ({"cases": (1, 2)}, "cases must be 2 or more tuples"),
            ({"hidden": ()}, "hidden must be 1 or more"),
            ({"level": "trivial"}, "its level 'trivial' is none of easy, medium, hard, stretch"),
            ({"time_limit": 0}, "must be above 0"),
            ({"tolerance": float("nan")}, "tolerance not below 0"),
            ({"name": "not a name"}, "no function the name"),
        ],
    )
    def test_an_incomplete_record_says_what_is_missing(self, change, complaint):
        with pytest.raises(ValueError, match=complaint):
            dataclasses.replace(RECALL, **change)

    def test_the_name_comes_from_the_id(self):
        assert COUNT_GENRES.name == "count_genres"
        assert RUNNING_MEAN.name == "RunningMean"

    def test_a_generator_of_cases_is_seeded(self):
        first, second = RECALL.inputs(graded=True)[-1], RECALL.inputs(graded=True)[-1]
        assert difference(plain(first), plain(second), 0) is None

    def test_two_exercises_of_one_lesson_cannot_share_a_name(self):
        with pytest.raises(ValueError, match="two exercises of one lesson are named 'recall'"):
            bind([RECALL, RECALL])


def test_a_notebook_wraps_long_messages_between_words():
    long = CheckFailed("✗ 99.recall(hits=[[True]]): expected [0.5], got [1.0]\n  " + "You divided by k. " * 12)
    lines = long._render_traceback_()
    assert len(lines) > 2 and max(map(len, lines)) <= 96
    assert " ".join(" ".join(lines).split()) == " ".join(str(long).split())
