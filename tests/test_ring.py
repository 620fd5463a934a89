"""The ring by hand: what each process holds on the way, and what it sends."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course.distributed.arithmetic import ring_bytes
from recsys_course.distributed.ring import all_reduce, ring_all_reduce

THREE = torch.tensor([[[1.0], [2], [3]], [[10], [20], [30]], [[100], [200], [300]]])  # process, chunk, one number

vectors = st.builds(
    lambda seed, n, length: torch.randn(n, length, generator=torch.Generator().manual_seed(seed)),
    st.integers(0, 9),
    st.integers(1, 7),
    st.integers(1, 20),
)


def test_in_step_0_each_process_sends_its_own_chunk_to_the_right():
    after = ring_all_reduce(THREE, 1).squeeze()
    assert after.tolist() == [[1, 2, 303], [11, 20, 30], [100, 220, 300]]


def test_after_half_the_steps_each_process_has_one_whole_sum_the_next_chunk():
    after = ring_all_reduce(THREE, 2).squeeze()
    assert [after[process, (process + 1) % 3] for process in range(3)] == [222, 333, 111]


def test_after_all_steps_everybody_has_every_sum():
    assert ring_all_reduce(THREE, 4).squeeze().tolist() == [[111, 222, 333]] * 3


def test_the_table_that_was_given_stays_as_it_is():
    before = THREE.clone()
    ring_all_reduce(THREE, 4)
    assert torch.equal(THREE, before)


@given(vectors)
@settings(max_examples=50, deadline=None)
def test_the_ring_gives_the_sum_to_everybody_bit_for_bit_alike(vectors):
    sums, _ = all_reduce(vectors)
    torch.testing.assert_close(sums, vectors.sum(dim=0).expand_as(vectors), rtol=1e-5, atol=1e-5)
    assert (sums == sums[0]).all()


def test_a_length_that_the_processes_do_not_divide_is_filled_up_and_cut_again():
    sums, sent = all_reduce(torch.ones(2, 3))
    assert sums.tolist() == [[2, 2, 2]] * 2
    assert sent == 2 * 2 * 4  # two steps, two numbers (one of them a zero) of 4 bytes


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_what_a_process_sends_is_what_the_formula_says(n):
    vectors = torch.zeros(n, 16)
    assert all_reduce(vectors)[1] == ring_bytes(vectors[0].nbytes, n)
