"""What the answer to J13 (generation aligned with preferences) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.losses import dpo_loss


def dpo(policy, reference, winner, loser, beta):
    """The loss of pairs of lists, from log chances of all lists."""
    return dpo_loss(policy[winner], policy[loser], reference[winner], reference[loser], beta)


def test_where_it_begins_and_what_it_ends_at():
    reference = torch.log_softmax(torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64), 0)
    reward, beta = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64), 0.5
    first, second = (grid.flatten() for grid in torch.meshgrid(torch.arange(3), torch.arange(3), indexing="ij"))
    likes = torch.sigmoid(reward[first] - reward[second])  # Bradley-Terry: how often the first is preferred
    logits = reference.clone().requires_grad_()
    start = float(dpo(reference, reference, torch.tensor([0]), torch.tensor([1]), beta))
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        gain = torch.log_softmax(logits, 0) - reference
        margin = beta * (gain[first] - gain[second])
        loss = (
            likes * torch.nn.functional.softplus(-margin) + (1 - likes) * torch.nn.functional.softplus(margin)
        ).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    best = torch.softmax(reference + reward / beta, 0)
    claim("J13.start", "The loss of a policy equal to its reference is log 2, 0.69", abs(start - np.log(2)) < 1e-9)
    claim(
        "J13.optimum",
        "All pairs compared, preferences by Bradley-Terry: the minimum is the reference times exp(reward / beta), to "
        "1e-4",
        torch.allclose(torch.softmax(logits.detach(), 0), best, atol=1e-4),
    )


def test_the_preferred_one_can_lose():
    """Three lists by two shared features; winner and loser are near twins."""
    features = torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.0, 3.0]])
    weights = torch.tensor([2.0, 0.0], requires_grad=True)
    reference = torch.log_softmax(features @ weights.detach(), 0)
    optimiser, seen = torch.optim.SGD([weights], lr=0.2), []
    for _ in range(41):
        policy = torch.log_softmax(features @ weights, 0)
        loss = dpo(policy, reference, torch.tensor([0]), torch.tensor([1]), beta=1.0)
        seen.append([*policy.detach().exp().tolist(), loss.item()])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    claim(
        "J13.displaced",
        "Winner and loser share most features: in 40 steps the loss falls from 0.69 to 0.62, the winner's chance from "
        "47 to 32 %, the loser's to 27 %; a list that nobody compared rises from 6 to 40 %",
        np.allclose(seen[0], [0.468, 0.468, 0.063, 0.693], atol=0.002)
        and np.allclose(seen[-1], [0.321, 0.275, 0.404, 0.619], atol=0.003),
    )


def test_lists_that_nobody_compared():
    logits = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    reference = torch.log_softmax(torch.zeros(6, dtype=torch.float64), 0)
    dpo(torch.log_softmax(logits, 0), reference, torch.tensor([0, 1]), torch.tensor([1, 2]), beta=0.1).backward()
    claim(
        "J13.unseen",
        "Six lists with a logit each, pairs among three of them: the gradient of the other three is 0",
        float(logits.grad[3:].abs().max()) < 1e-12 and float(logits.grad[:3].abs().max()) > 0.01,
    )


@pytest.fixture(scope="module")
def world():
    """10,000 lists: what they are worth, and what the reward model says: clicks that bait raises as well."""
    draw = np.random.default_rng(0)
    quality, bait = draw.normal(size=10_000), draw.exponential(size=10_000)
    return quality - 0.5 * bait, quality + bait


def aligned(world, beta):
    """Value, reward, and effective number of lists (exp of the entropy) of exp(reward / beta) on a uniform start."""
    value, reward = world
    chances = np.exp((reward - reward.max()) / beta)
    chances /= chances.sum()
    entropy = -(chances[chances > 0] * np.log(chances[chances > 0])).sum()
    return chances @ value, chances @ reward, np.exp(entropy)


def test_pressing_harder_on_a_proxy(world):
    found = np.array([aligned(world, beta) for beta in (1e9, 3.0, 2.0, 1.2, 0.5)])
    claim(
        "J13.hacked",
        "Reward = quality + bait, value = quality - bait / 2, 10,000 lists, beta of infinity, 3, 2, 1.2, 0.5: reward "
        "1.0, 1.8, 2.5, 5.3, 10.5; value -0.49, -0.41, -0.49, -1.3, -3.0",
        np.allclose(found[:, 1], [1.0, 1.834, 2.517, 5.301, 10.451], atol=0.05)
        and np.allclose(found[:, 0], [-0.49, -0.407, -0.494, -1.331, -3.048], atol=0.05),
    )
    claim(
        "J13.variety",
        "The effective number of lists goes from 10,000 to 8,600, 6,400, 940 and 3",
        np.allclose(found[:, 2], [10_000, 8_600, 6_445, 945, 3], rtol=0.03),
    )


def test_standardised_rewards():
    def advantage(rewards):
        rewards = torch.tensor(rewards)
        return (rewards - rewards.mean()) / (rewards.std(correction=0) + 1e-8)

    large, small, equal = advantage([1.0, 0.0, 0.0, 1.0]), advantage([0.501, 0.5, 0.5, 0.501]), advantage([0.5] * 4)
    claim(
        "J13.group",
        "Rewards standardised within a group: 1, 0, 0, 1 and 0.501, 0.5, 0.5, 0.501 both give advantages of 1 and -1; "
        "four equal rewards give 0",
        torch.allclose(large, small, atol=0.01) and abs(float(large[0]) - 1) < 1e-3 and bool((equal == 0).all()),
    )
