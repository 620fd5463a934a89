"""What is read inside a network, and the test that every explanation has to pass: attention, curves, concepts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor

from recsys_course.attention import Transformer
from recsys_course.data import Interactions
from recsys_course.explain import (
    area,
    attention_weights,
    bert_attention,
    concept_auc,
    concept_direction,
    deletion_curve,
    greedy_order,
    insertion_curve,
    kept_score,
    order_by,
    random_orders,
    rollout,
    shuffled_labels,
    token_effects,
)
from recsys_course.models import ItemKNN
from recsys_course.text import TextEncoder


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- attention


def test_attention_weights_are_those_that_the_network_uses():
    """With values and output set to the identity, a head's output is its weights times its input."""
    torch.manual_seed(2)
    network = Transformer(4, 1, 2, causal=True, positions=None).eval()
    head, read = network.blocks[0].attention, []
    for layer in (head.values, head.output):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    head.register_forward_hook(lambda module, inputs, output: read.append((inputs[0], output)))
    first, second = attention_weights(network, draw(3, 5, 4))
    x, output = read[0]
    assert torch.allclose(first[:, 0] @ x, output, atol=1e-5)
    assert torch.allclose(second.sum(dim=-1), torch.ones(3, 1, 5))
    assert torch.equal(first.triu(1), torch.zeros(3, 1, 5, 5))  # nobody looks at the future
    assert len(head._forward_hooks) == 1  # ours is gone


def test_attention_weights_keep_the_mask():
    network = Transformer(4, 2, 1).eval()
    real = tensor([[False, True, True]])
    (weights,) = attention_weights(network, draw(1, 3, 4), real[:, None, None])
    assert torch.equal(weights[..., 0], torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="Linear has no MultiHead: for a BERT use bert_attention"):
        attention_weights(nn.Linear(2, 2), draw(1, 2))


def test_rollout_of_one_layer_by_hand():
    weights = tensor([[[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.1, 0.9]]])  # two heads: mean .3 and .7 in row 1
    assert torch.allclose(rollout([weights]), tensor([[1.0, 0.0], [0.15, 0.85]]))


def test_rollout_goes_through_the_layers_in_their_order():
    first, second = (draw(2, 4, 4, seed=s).softmax(dim=-1) for s in (1, 2))
    eye = np.eye(4)
    by_hand = (second.mean(0).numpy() + eye) / 2 @ ((first.mean(0).numpy() + eye) / 2)
    assert np.allclose(rollout([first, second]).numpy(), by_hand, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
def test_rollout_is_a_distribution_and_identity_stays_identity(n_layers, n, seed):
    layers = [draw(2, 3, n, n, seed=seed + layer).softmax(dim=-1) for layer in range(n_layers)]
    found = rollout(layers)
    assert torch.allclose(found.sum(dim=-1), torch.ones(2, n), atol=1e-5)
    assert (found >= 0).all()
    assert torch.equal(rollout([torch.eye(n).expand(3, n, n)] * n_layers), torch.eye(n))
    causal = [layer.tril() / layer.tril().sum(dim=-1, keepdim=True) for layer in layers]
    assert torch.equal(rollout(causal).triu(1), torch.zeros(2, n, n))


def test_rollout_leaves_filler_with_itself():
    weights = tensor([[[0.0, 0.0], [0.0, 1.0]]])  # the first looks nowhere
    assert torch.equal(rollout([weights, weights]), torch.eye(2))


def test_rollout_refuses_what_is_not_square():
    with pytest.raises(ValueError, match="square weights"):
        rollout([])
    with pytest.raises(ValueError, match=r"\[\[1, 2, 3\]\]"):
        rollout([torch.ones(1, 2, 3)])


def test_berts_attention_has_its_tokens_and_leaves_the_encoder_as_it_was():
    encoder = TextEncoder()
    before = encoder.network.config._attn_implementation
    vector = encoder.encode(["Toy Story (1995)"], cache=False)
    tokens, layers = bert_attention(encoder, "Toy Story (1995)")
    assert tokens == ["[CLS]", "toy", "story", "(", "1995", ")", "[SEP]"]
    assert [list(layer.shape) for layer in layers] == [[12, 7, 7]] * 6
    assert all(torch.allclose(layer.sum(dim=-1), torch.ones(12, 7), atol=1e-5) for layer in layers)
    assert encoder.network.config._attn_implementation == before != "eager"
    assert torch.equal(encoder.encode(["Toy Story (1995)"], cache=False), vector)


def test_a_tokens_effect_is_the_cosine_with_it_minus_the_cosine_without_it():
    encoder = TextEncoder()
    others = ["Alien (1979)", "Aliens (1986)"]
    found = token_effects(encoder, "alien monsters", 3 * encoder.encode(others, cache=False))
    texts = ["alien monsters", "monsters", "alien", *others]
    vectors = nn.functional.normalize(encoder.encode(texts, cache=False), dim=1)
    cosines = (vectors[:3] @ vectors[3:].T).mean(dim=1)
    assert torch.allclose(found, cosines[0] - cosines[1:], atol=1e-5)
    assert found[0] > found[1]  # without "alien" less is left


# --- faithfulness

PARTS = tensor([1.0, 8.0, 3.0])


def worth(kept: Tensor) -> Tensor:
    return (kept * PARTS).sum(dim=1)


def test_curves_by_hand():
    order = order_by(PARTS)
    assert order.tolist() == [1, 2, 0]
    assert deletion_curve(worth, order).tolist() == [12, 4, 1, 0]
    assert insertion_curve(worth, order).tolist() == [0, 8, 11, 12]
    assert float(area(deletion_curve(worth, order))) == pytest.approx((8 + 2.5 + 0.5) / 3)
    both = deletion_curve(worth, torch.stack([order, order.flip(0)]))
    assert both.tolist() == [[12, 4, 1, 0], [12, 11, 8, 0]]
    assert area(both).shape == (2,)
    with pytest.raises(ValueError, match="two points or more, got 1"):
        area(tensor([1.0]))


def test_of_equal_parts_the_newest_is_named_first():
    assert order_by(tensor([2.0, 5.0, 2.0, 5.0])).tolist() == [3, 1, 2, 0]


def test_the_greedy_order_notices_what_stands_in_for_something_else():
    """Worth the larger of parts 0 and 1, plus part 2: alone 0 and 1 seem to cost nothing or little."""

    def value(kept: Tensor) -> Tensor:
        return torch.maximum(5.0 * kept[:, 0], 4.0 * kept[:, 1]) + 2.0 * kept[:, 2]

    assert greedy_order(value, 3).tolist() == [2, 0, 1]
    parts = order_by(tensor([5.0, 4.0, 2.0]))
    assert deletion_curve(value, parts).tolist() == [7, 6, 2, 0]


def test_what_is_kept_is_read_and_nothing_else():
    likes = Interactions.from_events([0, 0, 1, 1, 2], [0, 1, 1, 2, 3])
    model = ItemKNN(k=3).fit(likes)
    score = kept_score(model, tensor([0, 2]), 1)
    found = score(tensor([[True, True], [True, False]]))
    expected = model.scores(tensor([0, 1]), Interactions.from_events([0, 0, 1], [0, 2, 0], n_items=4))
    assert torch.allclose(found, expected.log_softmax(dim=1)[:, 1])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 10, width=32), min_size=2, max_size=7), st.integers(0, 1000))
def test_on_a_sum_no_order_beats_the_parts_themselves(parts, seed):
    parts = tensor(parts)
    n = len(parts)

    def value(kept: Tensor) -> Tensor:
        return (kept * parts).sum(dim=1)

    best, (other,) = order_by(parts), random_orders(n, 1, seed)
    assert sorted(other.tolist()) == list(range(n))
    assert area(deletion_curve(value, best)) <= area(deletion_curve(value, other)) + 1e-4
    assert area(insertion_curve(value, best)) >= area(insertion_curve(value, other)) - 1e-4
    both = area(deletion_curve(value, other)) + area(insertion_curve(value, other))
    assert float(both) == pytest.approx(float(parts.sum()), abs=1e-3)  # on a sum one curve says what the other says


# --- concepts


def test_a_direction_points_from_without_to_with():
    vectors = tensor([[0.0, 0.0], [0.0, 2.0], [3.0, 1.0], [5.0, 1.0]])
    assert torch.equal(concept_direction(vectors, tensor([False, False, True, True])), tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="with and without the concept, got 2 with it"):
        concept_direction(vectors[:2], tensor([True, True]))


def test_a_planted_concept_is_found_and_shuffled_labels_are_chance():
    labels = torch.arange(200) % 4 == 0
    vectors = draw(200, 20) + 2 * labels.unsqueeze(1) * torch.eye(20)[3]
    assert concept_auc(vectors, labels) > 0.85
    control = [concept_auc(vectors, shuffled_labels(labels, seed)) for seed in range(10)]
    assert abs(np.mean(control) - 0.5) < 0.05
    assert int(shuffled_labels(labels, 1).sum()) == 50


def test_concepts_are_judged_on_vectors_that_had_no_part_in_the_direction():
    """With more dimensions than examples a direction fits any labels; held out it must be chance."""
    labels = torch.arange(60) % 2 == 0
    vectors = draw(60, 500)
    fitted = vectors @ concept_direction(vectors, labels)
    assert fitted[labels].min() > fitted[~labels].max()  # perfect where it was learnt
    assert concept_auc(vectors, labels) < 0.75
