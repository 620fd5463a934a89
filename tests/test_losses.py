"""Losses against the same thing written as a loop, against torch, and against the full softmax in expectation."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from recsys_course.losses import bce_loss, bpr_loss, dpo_loss, in_batch_softmax_loss, sampled_softmax_loss, softmax_loss

LN2 = math.log(2)
INF = math.inf


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- pairs


def test_bpr_is_log_2_for_equal_scores_and_falls_as_the_target_rises_above_the_negative():
    assert float(bpr_loss(tensor([3.0]), tensor([3.0]))) == pytest.approx(LN2)
    assert float(bpr_loss(tensor([math.log(3)]), tensor([0.0]))) == pytest.approx(-math.log(3 / 4))
    assert float(bpr_loss(tensor([0.0]), tensor([math.log(3)]))) == pytest.approx(-math.log(1 / 4))


def test_bpr_with_several_negatives_is_the_mean_over_all_pairs():
    targets, negatives = normal(5), normal(5, 3, seed=1)
    pairs = [bpr_loss(targets[i : i + 1], negatives[i, j : j + 1]) for i in range(5) for j in range(3)]
    torch.testing.assert_close(bpr_loss(targets, negatives), torch.stack(pairs).mean())


def test_bpr_refuses_scores_that_do_not_belong_to_the_same_rows():
    with pytest.raises(ValueError, match=r"targets and negatives must have one shape, got \[4\] and \[5\]"):
        bpr_loss(torch.zeros(4), torch.zeros(5))
    with pytest.raises(ValueError, match=r"targets and negatives must have one shape, got \[4, 3\] and \[5, 3\]"):
        bpr_loss(torch.zeros(4), torch.zeros(5, 3))


def test_bce_by_hand_and_as_torch_computes_it():
    """A score of log 3 means a probability of 3 / 4."""
    loss = bce_loss(tensor([math.log(3), math.log(3)]), tensor([1.0, 0.0]))
    assert float(loss) == pytest.approx((-math.log(3 / 4) - math.log(1 / 4)) / 2)
    scores, labels = normal(4, 3), (normal(4, 3, seed=1) > 0).double()
    torch.testing.assert_close(bce_loss(scores, labels), F.binary_cross_entropy(scores.sigmoid(), labels))


def test_bce_takes_labels_of_any_kind_of_number():
    assert float(bce_loss(tensor([0.0, 0.0]), tensor([True, False]))) == pytest.approx(LN2)
    assert float(bce_loss(tensor([0.0, 0.0]), tensor([1, 0]))) == pytest.approx(LN2)


def test_bce_refuses_what_torch_would_let_through_ratings_as_labels_and_a_column_against_a_row():
    with pytest.raises(ValueError, match="labels must lie in 0 to 1, got 1 to 5: ratings are no labels"):
        bce_loss(torch.zeros(2), tensor([1.0, 5.0]))
    with pytest.raises(ValueError, match="labels must lie in 0 to 1, got nan"):
        bce_loss(torch.zeros(2), tensor([1.0, math.nan]))
    with pytest.raises(ValueError, match=r"scores and labels must have one shape, got \[3, 1\] and \[3\]"):
        bce_loss(torch.zeros(3, 1), torch.zeros(3))


# --- softmax over everything


def test_softmax_starts_at_log_n_items_and_ends_at_0():
    assert float(softmax_loss(torch.zeros(2, 7), tensor([0, 6]))) == pytest.approx(math.log(7))
    sure = F.one_hot(tensor([0, 6]), 7) * 100.0
    assert float(softmax_loss(sure, tensor([0, 6]))) == pytest.approx(0)
    assert float(softmax_loss(sure, tensor([1, 5]))) == pytest.approx(100)


def test_softmax_is_the_mean_negative_log_probability_of_the_targets():
    scores, targets = normal(4, 6), tensor([5, 0, 0, 3])
    chosen = scores.softmax(dim=1)[torch.arange(4), targets]
    torch.testing.assert_close(softmax_loss(scores, targets), -chosen.log().mean())


# --- a sample of negatives


def test_sampled_softmax_by_hand():
    """Target e^0 = 1; two negatives with e^s = 2 and 3, drawn with q = 1 / 2 and 1 / 4: 2 / (2 / 2) + 3 / (2 / 4)."""
    target, negatives = tensor([0.0]), tensor([[math.log(2), math.log(3)]])
    assert float(sampled_softmax_loss(target, negatives)) == pytest.approx(math.log(1 + 2 + 3))
    log_q = tensor([[0.5, 0.25]]).log()
    assert float(sampled_softmax_loss(target, negatives, log_q)) == pytest.approx(math.log(1 + 2 + 6))


def test_every_other_item_once_without_log_q_is_the_full_softmax():
    scores, targets = normal(4, 6), tensor([5, 0, 0, 3])
    others = torch.stack([tensor([i for i in range(6) if i != t]) for t in targets.tolist()])
    loss = sampled_softmax_loss(scores.gather(1, targets[:, None])[:, 0], scores.gather(1, others))
    torch.testing.assert_close(loss, softmax_loss(scores, targets))


def test_a_negative_of_minus_infinity_takes_no_part_and_gets_no_gradient():
    scores = normal(2, 3).requires_grad_()
    masked = sampled_softmax_loss(scores[:, 0], scores[:, 1:].masked_fill(tensor([False, True]), -INF))
    torch.testing.assert_close(masked, sampled_softmax_loss(scores[:, 0], scores[:, 1:2]))
    masked.backward()
    assert scores.grad.isfinite().all() and (scores.grad[:, 2] == 0).all() and (scores.grad[:, :2] != 0).all()


SCORES = tensor([1.0, -0.5, 0.3, 2.0, -1.0, 0.0], dtype=torch.float64)  # six items, the target is item 0
DRAWN = tensor([0.0, 0.4, 0.3, 0.15, 0.1, 0.05], dtype=torch.float64)  # how often each is drawn as a negative


def mean_gradient(n: int, sign: float, n_draws: int = 20_000) -> Tensor:
    """Mean gradient of the sampled loss on the six scores, over many samples of ``n`` negatives."""
    scores = SCORES.clone().requires_grad_()
    drawn = torch.multinomial(
        DRAWN.expand(n_draws, -1), n, replacement=True, generator=torch.Generator().manual_seed(0)
    )
    log_q = sign * DRAWN.log()[drawn] if sign else None
    sampled_softmax_loss(scores[0].expand(n_draws), scores[drawn], log_q).backward()
    return scores.grad


def full_gradient() -> Tensor:
    scores = SCORES.clone().requires_grad_()
    softmax_loss(scores[None], tensor([0])).backward()
    return scores.grad


def test_with_log_q_the_mean_gradient_approaches_the_full_softmax_as_the_sample_grows():
    errors = [float((mean_gradient(n, sign=1) - full_gradient()).norm()) for n in (2, 8, 32, 128)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.02 < 0.1 < errors[0]


@pytest.mark.parametrize("sign", [0, -1])
def test_without_log_q_or_with_its_wrong_sign_the_mean_gradient_stays_wrong_however_large_the_sample(sign):
    errors = [float((mean_gradient(n, sign) - full_gradient()).norm()) for n in (32, 128)]
    assert min(errors) > 0.2


# --- the rows of the batch as negatives


def in_batch_by_loops(users, items, item_ids, log_q, temperature, known) -> float:
    total = 0.0
    for i in range(len(users)):
        terms = {}
        for j in range(len(users)):
            if j != i and (item_ids[j] == item_ids[i] or known[i][j]):
                continue
            terms[j] = float(users[i] @ items[j]) / temperature - float(log_q[j])
        total += math.log(sum(map(math.exp, terms.values()))) - terms[i]
    return total / len(users)


@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from([0.3, 1.0, 2.0]))
def test_in_batch_softmax_equals_two_loops(seed, batch, temperature):
    users, items, log_q = normal(batch, 3, seed=seed), normal(batch, 3, seed=seed + 1), normal(batch, seed=seed + 2)
    item_ids, known = (normal(batch, seed=seed + 3) * 1.5).round().long(), normal(batch, batch, seed=seed + 4) > 1
    loss = in_batch_softmax_loss(users, items, item_ids, log_q, temperature, known)
    assert float(loss) == pytest.approx(in_batch_by_loops(users, items, item_ids, log_q, temperature, known), rel=1e-4)


def test_different_items_without_correction_are_torchs_cross_entropy_over_the_batch():
    users, items = normal(5, 3).float(), normal(5, 3, seed=1).float()
    expected = F.cross_entropy(users @ items.T / 0.5, torch.arange(5))
    torch.testing.assert_close(in_batch_softmax_loss(users, items, torch.arange(5), temperature=0.5), expected)


def test_untrained_vectors_start_at_the_logarithm_of_the_batch_and_one_row_has_nothing_to_learn():
    assert float(in_batch_softmax_loss(torch.zeros(8, 2), normal(8, 2).float(), torch.arange(8))) == pytest.approx(
        math.log(8)
    )
    assert float(in_batch_softmax_loss(torch.ones(1, 2), torch.ones(1, 2), tensor([4]))) == 0


def test_the_same_item_in_another_row_is_no_negative():
    """Rows 0 and 1 hold item 7: neither is pushed away from it; row 2 sees it twice."""
    loss = in_batch_softmax_loss(torch.zeros(3, 2), torch.zeros(3, 2), tensor([7, 7, 4]))
    assert float(loss) == pytest.approx((2 * math.log(2) + math.log(3)) / 3)


def test_what_a_user_is_known_to_like_is_no_negative_and_the_own_item_always_stays():
    known = tensor([[True, True, False], [False, True, False], [False, False, True]])
    loss = in_batch_softmax_loss(torch.zeros(3, 2), torch.zeros(3, 2), tensor([7, 8, 9]), known=known)
    assert float(loss) == pytest.approx((math.log(2) + 2 * math.log(3)) / 3)


def test_the_mask_of_known_items_is_left_as_it_was():
    known = torch.zeros(2, 2, dtype=torch.bool)
    in_batch_softmax_loss(torch.zeros(2, 2), torch.zeros(2, 2), tensor([7, 7]), known=known)
    assert not known.any()


SHARE = torch.linspace(1, 20, 50).flip(0) / torch.linspace(1, 20, 50).sum()  # item 0 is in 20 times as many rows


def fitted_slope(sign: float) -> float:
    """Train one number an item on batches drawn by ``SHARE``, and say how much of log share it has taken up."""
    generator, log_q = torch.Generator().manual_seed(0), SHARE.log()
    table = torch.zeros(50, 1, requires_grad=True)
    optimizer = torch.optim.SGD([table], lr=20.0)
    for step in range(400):
        ids = torch.multinomial(SHARE, 64, replacement=True, generator=generator)
        loss = in_batch_softmax_loss(torch.ones(64, 1), table[ids], ids, sign * log_q[ids])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 20 / (1 + step / 40)
    scores, x = table.detach()[:, 0], log_q - log_q.mean()
    return float((scores * x).sum() / (x * x).sum())


@pytest.mark.parametrize("sign", [1, 0, -1])
def test_where_all_users_are_alike_the_best_score_is_log_p_minus_log_q_plus_what_was_subtracted(sign):
    """Here p = q: with the right sign the popular lead, without correction all are equal, with the wrong sign the
    tail leads: log p - 2 log q = -log q."""
    assert fitted_slope(sign) == pytest.approx(sign, abs=0.15)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_not_above_0_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be above 0, got"):
        in_batch_softmax_loss(torch.zeros(2, 2), torch.zeros(2, 2), tensor([0, 1]), temperature=temperature)


# --- preferences


def logs(*probabilities: float) -> Tensor:
    return tensor(probabilities).log()


def test_dpo_is_log_2_while_the_policy_is_the_reference_however_likely_the_answers_are():
    before = logs(0.9, 0.1), logs(0.05, 0.6)
    assert float(dpo_loss(*before, *before, beta=0.7)) == pytest.approx(LN2)


@pytest.mark.parametrize(("beta", "probability"), [(1.0, 4 / 5), (0.5, 2 / 3), (2.0, 16 / 17)])
def test_dpo_by_hand_the_preferred_doubled_and_the_other_halved(beta, probability):
    """The margin is log 4, and the loss is minus the logarithm of sigmoid(beta log 4)."""
    loss = dpo_loss(logs(0.4), logs(0.1), logs(0.2), logs(0.2), beta=beta)
    assert float(loss) == pytest.approx(-math.log(probability), abs=1e-6)


def test_dpo_counts_the_gain_over_the_reference_and_not_the_probability():
    """The second pair's rejected answer is still the likelier one, but it has become less likely."""
    unchanged = dpo_loss(logs(0.2), logs(0.01), logs(0.2), logs(0.01), 1.0)
    gained = dpo_loss(logs(0.2), logs(0.4), logs(0.2), logs(0.8), 1.0)
    assert float(unchanged) == pytest.approx(LN2) and float(gained) == pytest.approx(-math.log(2 / 3))


def test_dpo_falls_although_both_answers_become_less_likely():
    loss = dpo_loss(logs(0.1), logs(0.01), logs(0.2), logs(0.2), 1.0)
    assert float(loss) == pytest.approx(-math.log(10 / 11))


def test_dpo_is_the_mean_over_pairs():
    c, r, c0, r0 = (-normal(5, seed=n).abs() for n in range(4))
    pairs = [dpo_loss(*(x[n : n + 1] for x in (c, r, c0, r0)), 0.3) for n in range(5)]
    torch.testing.assert_close(dpo_loss(c, r, c0, r0, 0.3), torch.stack(pairs).mean())


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_dpo_on_every_pair_in_its_true_proportion_ends_where_the_theory_says(beta):
    """All pairs, each counted as often as rewards 0, 1 and 2 let its winner win: the best policy is known."""
    before, reward = logs(0.7, 0.2, 0.1), tensor([0.0, 1.0, 2.0])
    policy = before.clone().requires_grad_()
    optimizer = torch.optim.Adam([policy], lr=0.05)
    for _ in range(400):
        now, total = policy.log_softmax(0), 0.0
        for won, lost in itertools.permutations(range(3), 2):
            rows = now[[won]], now[[lost]], before[[won]], before[[lost]]
            total = total + (reward[won] - reward[lost]).sigmoid() * dpo_loss(*rows, beta=beta)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    torch.testing.assert_close(policy.softmax(0), (before + reward / beta).softmax(0), atol=0.01, rtol=0)


def test_dpo_refuses_a_beta_that_is_not_above_0_and_pairs_that_do_not_belong_together():
    for beta in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="beta must be above 0, got"):
            dpo_loss(*[torch.zeros(2)] * 4, beta=beta)
    for place, name in enumerate(("rejected", "reference_chosen", "reference_rejected"), 1):
        parts = [torch.zeros(2)] * 4
        parts[place] = torch.zeros(3)
        with pytest.raises(ValueError, match=rf"chosen and {name} must have one shape, got \[2\] and \[3\]"):
            dpo_loss(*parts)


# --- numbers


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: bpr_loss(s[0], s[1]),
        lambda s: bce_loss(s, (s > 0).float()),
        lambda s: bce_loss(s, (s < 0).float()),
        lambda s: softmax_loss(s, tensor([0, 1])),
        lambda s: sampled_softmax_loss(s[:, 0], s[:, 1:], tensor([-20.0, -0.001])),
        lambda s: in_batch_softmax_loss(s, s, tensor([3, 4]), log_q=tensor([-20.0, -0.001])),
        lambda s: dpo_loss(s[0], s[1], -s.detach()[0], s.detach()[1]),
    ],
)
def test_scores_of_ten_thousand_give_finite_losses_and_gradients(loss):
    scores = tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], requires_grad=True)
    value = loss(scores)
    value.backward()
    assert value.isfinite() and value.ndim == 0 and scores.grad.isfinite().all()
