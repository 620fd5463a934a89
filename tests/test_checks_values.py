"""Which values the check takes for the same: right ones in another form, and wrong ones that only look right."""

import dataclasses
import random

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import toy_exercises
from one_line_exercises import accepts, exercise, failure
from recsys_course import progress
from recsys_course.checks import CheckFailed

check = toy_exercises.check


class TestRightAnswersInAnotherForm:
    @pytest.mark.parametrize(
        ("right", "same"),
        [
            (torch.tensor([0.5, 1.0]), np.array([0.5, 1.0])),
            (torch.tensor([0.5, 1.0]), [0.5, 1]),
            (torch.tensor([0.5, 1.0]), (torch.tensor(0.5), np.float16(1.0))),
            (torch.tensor([0.5, 1.0]), torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)),
            (torch.tensor([0.5, 1.0]), torch.tensor([0.5, 1.0]).to_sparse()),
            (torch.tensor([0.5, 1.0]), pd.Series([0.5, 1.0])),
            (torch.tensor([0.5, 1.0]), torch.tensor([0.5, 1.0], dtype=torch.bfloat16)),
            (torch.tensor([[True, False]]), [[1.0, 0.0]]),
            (torch.tensor([3, 1], dtype=torch.int32), range(3, 0, -2)),
            (torch.tensor([], dtype=torch.int64), []),
            (torch.tensor([torch.nan, -0.0]), [float("nan"), 0]),
            (torch.eye(3), sparse.csr_matrix(np.eye(3))),
            (torch.eye(2), np.matrix([[1, 0], [0, 1]])),
            (0.1 + 0.2, torch.tensor(0.3)),
            (3, True + 2.0),
            ((0.5, 10), [np.float32(0.5), torch.tensor(10)]),
            (([1, 2], [3]), [torch.tensor([1, 2]), np.array([3])]),
            ({"a": 1, "b": 2}, {"b": np.int64(2), "a": 1.0}),
            ({1: "x"}, {np.int64(1): "x"}),
            ({1, 2}, frozenset([2, np.int64(1)])),
            (["a", "b"], np.array(["a", "b"])),
            ("a", np.str_("a")),
            (pd.DataFrame({"a": [1], "b": ["x"]}), pd.DataFrame({"b": ["x"], "a": [1.0]})),
            (pd.Series([1, None], dtype="Int64"), [1, float("nan")]),
        ],
        ids=repr,
    )
    def test_the_same_values_pass(self, right, same):
        assert accepts(lambda: right, lambda: same)

    def test_two_records_with_the_same_fields_agree(self):
        @dataclasses.dataclass
        class Split:
            train: object
            test: object

        right, same = Split(torch.tensor([1]), [2]), Split([1], (2,))
        assert accepts(lambda: right, lambda: same)
        assert not accepts(lambda: right, lambda: Split([1], [3]))

    def test_the_exception_that_the_reference_raises_is_the_right_answer(self):
        def refuse(n):
            if n < 0:
                raise ValueError("negative")
            return n

        class Negative(ValueError):
            pass

        def subclass(n):
            if n < 0:
                raise Negative
            return n

        assert accepts(refuse, subclass, (1,), (-1,))
        assert not accepts(refuse, lambda n: n, (1,), (-1,))
        assert not accepts(refuse, lambda n: n if n > 0 else None, (1,), (-1,))

    def test_a_decorated_function_passes(self):
        check(torch.no_grad()(toy_exercises.recall))

    def test_more_parameters_with_defaults_pass(self):
        assert accepts(lambda a: a, lambda x, scale=1, *rest: x * scale, (2,))

    def test_random_answers_are_seeded_like_the_reference(self):
        assert accepts(lambda: torch.rand(3), lambda: torch.rand(3))
        assert accepts(lambda: np.random.rand(3), lambda: np.random.rand(3))
        assert accepts(lambda: random.random(), lambda: random.random())

    def test_an_input_that_is_put_back_has_not_changed(self):
        def there_and_back(items):
            items.append(0)
            return sum([items.pop(), *items])

        assert accepts(sum, there_and_back, ([1, 2],))

    def test_objects_among_the_inputs_are_no_obstacle(self):
        model = torch.nn.Linear(2, 1)
        assert accepts(lambda model, x: model(x), lambda m, x: x @ m.weight.T + m.bias, (model, torch.ones(3, 2)))


class Agreeable(str):
    __hash__ = None

    def __eq__(self, other):
        return True


class Hostile(list):
    def __iter__(self):
        raise RuntimeError("no")

    __len__ = __repr__ = __eq__ = __bool__ = __hash__ = __iter__


class TestWrongAnswersThatLookRight:
    @pytest.mark.parametrize(
        ("right", "wrong"),
        [
            (torch.tensor([0.5, 0.5]), torch.tensor(0.5)),
            (torch.tensor([0.5, 0.5]), torch.tensor([[0.5], [0.5]])),
            (torch.tensor([[1, 2]]), torch.tensor([1, 2])),
            (881250949, 881250950),
            (torch.tensor([2**53]), torch.tensor([2**53 + 1])),
            (torch.tensor([100_000]), [100_001.0]),
            ((0.5, 100_000), torch.tensor([0.5, 100_001])),
            (0.5, "0.5"),
            (0.5, [0.5]),
            (None, 0),
            (True, "True"),
            ("none", Agreeable("overlap")),
            (["none"], [Agreeable("overlap")]),
            ({"a": 1}, {"a": 1, "b": 2}),
            ({1, 2}, {1, 2, 3}),
            ([1, 2], {1, 2}),
            (torch.tensor([1.0]), torch.tensor([float("nan")])),
            (torch.tensor([float("nan")]), torch.tensor([0.0])),
            (float("inf"), float("-inf")),
            (torch.eye(2), torch.eye(2).expand(3, 2, 2)),
            (torch.zeros(2), torch.zeros(1).expand(10**12)),
            (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [2, 1]}, index=[1, 0])),
            (pd.Series([2, 1], index=["x", "y"]), pd.Series([2, 1], index=["y", "x"])),
            (pd.DataFrame({"a": [1]}), pd.DataFrame({"A": [1]})),
            ([["a"], ["b", "c"]], [["a", "b"], ["c"]]),
        ],
        ids=repr,
    )
    def test_they_are_rejected(self, right, wrong):
        assert not accepts(lambda: right, lambda: wrong)

    def test_a_list_that_contains_itself_is_only_a_wrong_answer(self):
        endless = []
        endless.append(endless)
        assert not accepts(lambda: [1.0], lambda: endless)

    def test_an_object_that_fights_every_look_is_only_a_wrong_answer(self):
        assert not accepts(lambda: [1.0], lambda: Hostile())

    @pytest.mark.parametrize("put", [lambda items: items, lambda items: Hostile()])
    def test_an_input_that_is_made_hostile_has_changed(self, put):
        of = exercise(sum, ([1, 2],))
        assert failure(lambda items: items.append(put(items)) or 3, of)[0].endswith("it changed its input `iterable`")

    def test_an_exception_without_words_is_only_a_wrong_answer(self):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError

        def answer():
            raise Mute

        assert not accepts(lambda: 1, answer)

    def test_an_operation_that_torch_lacks_is_not_mistaken_for_an_unwritten_answer(self):
        def recall(hits, n_relevant):
            raise NotImplementedError("\"sum\" not implemented for 'Bool'")

        assert "raised NotImplementedError" in failure(recall)[0]

    def test_an_answer_that_stops_half_way_gets_no_tick(self, capsys):
        def recall(hits, n_relevant):
            if 0 in n_relevant:
                raise NotImplementedError
            return hits.sum(dim=1) / n_relevant

        check(recall)
        assert "not written yet" in capsys.readouterr().out
        assert not progress.summary()["99.recall"].passed
        with pytest.raises(CheckFailed):
            check(recall, graded=True)

    def test_a_check_inside_the_answer_is_named(self):
        def recall(hits, n_relevant):
            check(recall)

        assert "check(recall) stands inside recall: write it below the function" in failure(recall)[0]
        check(toy_exercises.recall)
