"""Arithmetic with units: what it computes, what it shows, what it refuses, and what learners may type."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_course.interview import capacity, formulas
from recsys_course.interview.capacity import compute, parse_quantity, ratio, within
from recsys_course.interview.formulas import CapacityError
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.quantity_text import number, shown, unit_text


def last(*lines):
    return compute(lines)[-1].shown


def test_requests_a_second_follow_from_users_a_day():
    steps = compute(["daily = 500 million users * 10 requests/user/day", "qps = daily in requests/s", "peak = 3 * qps"])
    assert [step.shown for step in steps] == [
        "5 billion requests/day",
        "57.9 thousand requests/s",
        "174 thousand requests/s",
    ]
    assert [step.name for step in steps] == ["daily", "qps", "peak"]
    assert steps[1].formula == "daily"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("100 million items * 64 * 2 bytes/item", "12.8 GB"),
        ("100 million items * 64 * 2 bytes/item in GiB", "11.9 GiB"),
        ("2 * 32 * 8 * 128 * 2 bytes/token in KiB/token", "128 KiB/token"),
        ("64 GB / 225 MiB", "271"),
        ("28.8 TFLOP / (990 TFLOPS * 40 %)", "72.7 ms"),
        ("10^9 requests/day * 2 KB/request in TB/day", "2 TB/day"),
        ("87 million candidates/s * 50 MFLOP/candidate", "4.35 PFLOP/s"),
        ("ceil(43.1 devices)", "44 devices"),
        ("max(3 GB, 2 GiB, 1 KB)", "3 GB"),
        ("log2(1,024)", "10"),
        ("sqrt(16 GB^2)", "4 GB"),
        ("2^3^2", "512"),
        ("-2^2 + 5", "1"),
        ("7 - 2 - 1", "4"),
        ("64 / 4 / 2", "8"),
        ("64 GB / 2 KB", "32 million"),
        ("50 % * 8 users", "4 users"),
        ("90 minutes in hours", "1.5 hours"),
        ("8B parameters * 2 bytes/parameter", "16 GB"),
        ("300 B * 10^6 / s", "300 MB/s"),
        ("1 Gbit/s", "125 MB/s"),
        ("3 devices * 2 hours", "6 device-hours"),
    ],
)
def test_a_formula_and_what_it_is(formula, text):
    assert last(f"a = {formula}") == text


def test_a_plural_may_be_the_name_of_a_step_for_one_divides_by_the_singular():
    assert last("users = 5 million users", "requests = users * 2 requests/user/day") == "10 million requests/day"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a = 3 requests + 2 bytes"], "line 1, `a`: cannot add requests and bytes"),
        (["a = 1 GB", "b = a - 2 s"], "line 2, `b`: cannot subtract bytes and s"),
        (["a = 1 GB/s in requests"], "line 1, `a`: it is in bytes/s, and cannot be shown in requests"),
        (["a = min(1 GB, 1 user)"], "line 1, `a`: cannot compare bytes and users"),
        (["a = 2 ^ (1 s)"], "line 1, `a`: an exponent must be a plain number, it is in s"),
        (["a = log2(8 users)"], "line 1, `a`: what `log2` takes must be a plain number, it is in users"),
        (["a = 3 reqests"], "line 1, `a`: `reqests` is unknown: did you mean `requests`?"),
        (["a = 5 m"], "line 1, `a`: `m` can mean several things: write M or million, ms, or min"),
        (["x = 2", "a = 3 x"], "line 2, `a`: there is no operator before `x`"),
        (["x = 2", "a = x requests"], "line 2, `a`: there is no operator after `x`"),
        (["a = 3 (4)"], "line 1, `a`: there is no operator before `(` in `3 (4)`"),
        (["a = (3"], "line 1, `a`: a closing parenthesis is missing before the end of the line"),
        (["a = 3 * / 2"], "line 1, `a`: a number or a name is missing before `/`"),
        (["a = 1/0"], "line 1, `a`: `1/0` divides by zero"),
        (["a = 9^9^9^9"], "line 1, `a`: the exponent 3.8742e+08 is not possible here"),
        (["a = (0 - 8)^0.5"], "line 1, `a`: the exponent 0.5 is not possible here"),
        (["a = 1e400 * 2"], "line 1, `a`: `1e400 * 2` is too large"),
        (["a = log2(0)"], "line 1, `a`: `log2(0)` has no value that is a number"),
        (["a = f(1)"], "line 1, `a`: there is no function `f`"),
        (["a = max(1)"], "line 1, `a`: `max` takes two values or more, got 1"),
        (["user = 3"], "line 1, `user`: `user` is a unit or a function: choose a name such as `n_user`"),
        (["3 GB"], "line 1, `3 GB`: write `name = formula`, got `3 GB`"),
        (["a = 1 GB in KB in MB"], "line 1, `a`: `in` stands more than once"),
        (["a = 3 requests f(2)"], "line 1, `a`: there is no operator before `f(`"),
    ],
)
def test_what_cannot_be_computed_is_said_in_one_sentence_with_both_units_and_the_line(lines, message):
    with pytest.raises(PracticeError) as error:
        compute(lines)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", "().__class__", "[1]", "'a' * 9", "lambda: 1", "x := 3", "a.b", "1; 2"]
)
def test_nothing_of_python_is_run(text):
    with pytest.raises(CapacityError):
        compute([f"a = {text}"])


@pytest.mark.parametrize("text", ["(" * 31 + "1" + ")" * 31, "-" * 200 + "1", "1" + " + 1" * 200, "2^" * 100 + "1"])
def test_a_formula_that_is_too_deep_or_too_long_is_refused_and_breaks_nothing(text):
    with pytest.raises(CapacityError, match="split"):
        compute([f"a = {text}"])


@given(st.text(max_size=60))
def test_any_text_is_computed_or_refused_with_a_sentence(text):
    try:
        parse_quantity(text)
    except CapacityError as error:
        assert str(error)


# --- what a learner types


@pytest.mark.parametrize(
    "text",
    [
        "58k requests/s",
        "58K QPS",
        "58,000 requests / s",
        "5.8e4 rps",
        "5.8*10^4 QPS",
        "5.8×10⁴ QPS",
        "58 thousand requests per second",
        "about 58k queries/s",
        "~ 58000 qps",
        "5.8万 QPS",
        "5.8 万次请求/秒",
        "约 5.8万 QPS",
        "５８，０００ QPS",
        "3.48 million requests a minute",
        "580,000/10 requests/s",
    ],
)
def test_58_thousand_requests_a_second_may_be_typed_like_this(text):
    assert within(parse_quantity(text), parse_quantity("58000 requests/s"), factor=1.0001)


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("12.8 gb", "12.8 GB"),
        ("12.8 GiB", "13.7 GB"),
        ("12.8 Gb", "1.6 GB"),
        ("26TB/day", "26 TB/day"),
        ("72ms", "72 ms"),
        ("8B tokens", "8 billion tokens"),
        ("5 B", "5 bytes"),
        ("128 KiB per token", "131 KB/token"),
        ("1亿用户", "100 million users"),
        ("2.6e20 FLOPs", "260 EFLOP"),
        ("40 TFLOPS", "40 TFLOP/s"),
        ("$5k", "5,000 dollars"),
        ("12 GPU-hours", "12 device-hours"),
        ("3 %", "0.03"),
    ],
)
def test_what_is_typed_and_how_it_is_read(text, shown_as):
    assert shown(parse_quantity(text)) == shown_as


@pytest.mark.parametrize("text", ["", "many", "requests/s", "k"])
def test_what_has_no_number_is_asked_for_again_with_an_example(text):
    with pytest.raises(CapacityError, match="there is no number"):
        parse_quantity(text)


@given(
    st.floats(1e-6, 1e15), st.sampled_from(["requests/s", "GB", "ms", "TB/day", "KiB/token", "FLOP", "device-hours"])
)
def test_a_shown_quantity_can_be_typed_again(value, unit):
    quantity = parse_quantity(f"{value!r} {unit}")
    assert within(parse_quantity(shown(quantity)), quantity, factor=1.006)


# --- right within a factor


@pytest.mark.parametrize(("answer", "right"), [("29 GB", True), ("116 GB", True), ("28 GB", False), ("117 GB", False)])
def test_half_and_double_are_within_a_factor_of_two_and_no_more(answer, right):
    assert within(parse_quantity(answer), parse_quantity("58 GB")) is right


def test_a_ratio_is_the_answer_over_the_truth_whatever_their_prefixes():
    assert ratio(parse_quantity("1 TB/day"), parse_quantity("500 GB/day")) == pytest.approx(2)
    assert ratio(parse_quantity("500 ms"), parse_quantity("2 s")) == pytest.approx(0.25)


def test_another_dimension_is_refused_with_both_units():
    with pytest.raises(CapacityError, match="the answer is in bytes, wanted is requests/s"):
        within(parse_quantity("58 KB"), parse_quantity("58k requests/s"))


@given(st.floats(1e-3, 1e3), st.floats(1.01, 10))
def test_within_is_symmetric_in_answer_and_truth(times, factor):
    one, other = parse_quantity("7 GB"), parse_quantity("7 GB") * times
    assert within(one, other, factor) == within(other, one, factor)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1024, "1,024"),
        (57.87, "57.9"),
        (0.01234, "0.0123"),
        (12345, "12,300"),
        (999.6, "1,000"),
        (2e10, "2e+10"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_units_are_said_as_people_say_them():
    units = ["3 GB/s/host", "3 devices * 1 hour", "4 FLOP/candidate", "5 requests", "6", "7 / s"]
    said = ["bytes/s/host", "device-hours", "FLOP/candidate", "requests", "a plain number", "1/s"]
    assert [unit_text(capacity.evaluate(unit, {})) for unit in units] == said


def test_words_after_a_number_bind_more_tightly_than_division():
    assert formulas.parse("6 GB / 2 KB").kind == "/"


def test_pint_is_imported_only_when_something_is_computed():
    code = "import sys; from recsys_course.interview import capacity; sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
