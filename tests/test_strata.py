"""The report by strata: what adds up, what is merged, and what is never shown."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course.metrics import bootstrap, stratified_report

NAMES = ["light"] * 4 + ["heavy"] * 3 + ["new"] + ["lost"]
VALUES = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_report_by_hand():
    report = stratified_report(VALUES, NAMES, min_users=1)
    assert report["mean"].to_dict() == {"heavy": 6, "light": 2.5, "lost": 9, "new": 8, "all": 5}
    assert report["users"].tolist() == [3, 4, 1, 1, 9]
    assert report["share"].tolist() == pytest.approx([3 / 9, 4 / 9, 1 / 9, 1 / 9, 1])


def test_small_strata_are_merged_and_named():
    report = stratified_report(VALUES, NAMES, min_users=2)
    assert report["mean"].to_dict() == {"heavy": 6, "light": 2.5, "other: lost, new": 8.5, "all": 5}


def test_a_small_stratum_left_alone_takes_the_next_smallest_along():
    """Were `new` hidden alone, the total minus the others would give it away."""
    report = stratified_report([1, 2, 3, 4, 5, 6, 7, 8], NAMES[:8], min_users=3)
    assert list(report.index) == ["light", "other: heavy, new", "all"]
    assert report.loc["other: heavy, new", "users"] == 4


def test_intervals_are_those_of_the_bootstrap_over_the_users_of_the_row():
    rng = np.random.default_rng(3)
    values, strata = rng.normal(size=80), np.repeat([0, 1], 40)
    report = stratified_report(values, strata)
    assert tuple(report.loc["1", ["mean", "low", "high"]]) == pytest.approx(bootstrap(values[40:]))
    assert tuple(report.loc["all", ["mean", "low", "high"]]) == pytest.approx(bootstrap(values))


def test_users_without_a_value_count_nowhere():
    report = stratified_report([1.0, np.nan, 3.0, 5.0], ["a", "a", "a", "b"], min_users=1)
    assert report["users"].to_dict() == {"a": 2, "b": 1, "all": 3} and report.loc["a", "mean"] == 2


def test_columns_of_a_table_are_welcome():
    report = stratified_report(pd.Series([1.0, 2.0], index=[7, 9]), pd.Series(["x", "y"], index=[7, 9]), min_users=1)
    assert report["mean"].to_dict() == {"x": 1, "y": 2, "all": 1.5}


def test_too_few_users_and_lengths_that_differ_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="9 users are fewer than min_users = 10"):
        stratified_report(VALUES, NAMES, min_users=10)
    with pytest.raises(ValueError, match="values and strata must name the same users"):
        stratified_report(VALUES, NAMES[:-1])
    with pytest.raises(ValueError, match="0 users are fewer"):
        stratified_report([np.nan], ["a"], min_users=0)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-9, 9)), min_size=5, max_size=60), st.integers(1, 5))
def test_the_rows_add_up_to_the_total_and_none_is_too_small(users, min_users):
    strata, values = zip(*users, strict=True)
    report = stratified_report(values, strata, min_users)
    rows, total = report.iloc[:-1], report.iloc[-1]
    assert rows["users"].sum() == len(users) and rows["users"].min() >= min_users
    assert (rows["share"] * rows["mean"]).sum() == pytest.approx(total["mean"])


def test_exactly_as_many_users_as_the_minimum_are_a_report():
    report = stratified_report([1, 2], ["a", "b"], min_users=2)
    assert list(report.index) == ["other: a, b", "all"]
    assert report.loc["all", "mean"] == 1.5
