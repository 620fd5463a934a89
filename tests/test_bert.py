"""The BERT recommender, on a tiny random BERT whose words are the taste that is to be found."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn, tensor

from contract import N_ITEMS, PersonalisedContract, checkerboard, uneven
from recsys_course import data, metrics
from recsys_course.data import Interactions
from recsys_course.models.bert import BertRecommender, _Steps
from recsys_course.models.cross_encoder import CrossEncoder
from recsys_course.models.lora import LoRALinear
from recsys_course.models.popularity import Popularity
from recsys_course.text import TextEncoder, film_texts
from recsys_course.training import Diverged, seeded

WORDS = [
    "[PAD]",
    "[CLS]",
    "[SEP]",
    "red",
    "blue",
    "green",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
]
TEXTS = ["red one", "blue two", "red three", "blue four", "red five", "blue six", "red seven", "blue eight"]


class TinyEncoder:
    """Two random layers over a dozen words, in place of a TextEncoder."""

    def __init__(self, dim: int = 16, n_layers: int = 2) -> None:
        from transformers import BertConfig, BertModel

        sizes = {"hidden_size": dim, "intermediate_size": 2 * dim, "num_hidden_layers": n_layers}
        config = BertConfig(vocab_size=len(WORDS), num_attention_heads=2, max_position_embeddings=16, **sizes)
        config.initializer_range = 0.5  # words that differ, as after a pre-training
        with seeded(0):
            self.network = BertModel(config, add_pooling_layer=False).eval()

    def tokenize(self, texts: list[str]) -> list[list[int]]:
        return [[1, *(WORDS.index(word) for word in text.split()), 2] for text in texts]


SMALL = {
    "texts": TEXTS,
    "encoder": TinyEncoder(),
    "tuning": "full",
    "epochs": 10,
    "head_epochs": 10,
    "learning_rate": 0.005,
    "warmup": 5,
    "batch_size": 32,
    "n_films": 4,
}


class BertContract(PersonalisedContract):
    """The contract of a model of texts: one user and one item are one text."""

    model = BertRecommender

    def fitted(self, train: Interactions | None = None) -> BertRecommender:
        train = uneven() if train is None else train
        return BertRecommender(**{**self.settings, "texts": TEXTS[: train.n_items]}).fit(train)


def small(**changes) -> BertRecommender:
    return BertRecommender(**{**SMALL, **changes})


TestFrozen = type("TestFrozen", (BertContract,), {"settings": {**SMALL, "tuning": "frozen"}})
TestLoRA = type("TestLoRA", (BertContract,), {"settings": {**SMALL, "tuning": "lora", "rank": 2}})
TestFull = type("TestFull", (BertContract,), {"settings": SMALL})
TestBCE = type("TestBCE", (BertContract,), {"settings": {**SMALL, "loss": "bce"}})


def encoder_weights(model: BertRecommender) -> dict[str, Tensor]:
    return {name: weight.cpu() for name, weight in model.towers_.layers.state_dict().items()}


# --- what nobody has met


def test_an_item_that_nobody_has_met_is_recommended_by_its_words():
    """Nobody has met items 6 (red seven) and 7 (blue eight): their words say who will like them."""
    pairs = [(u, i) for u in range(12) for i in range(6) if u % 2 == i % 2]
    train = Interactions.from_events(*zip(*pairs, strict=True), n_items=N_ITEMS)
    for tuning in ("frozen", "lora", "full"):
        model = small(tuning=tuning).fit(train)
        assert model.recommend(tensor([0, 1, 4, 11]), 1).tolist() == [[6], [7], [6], [7]]
        assert model.item_vectors().shape == (N_ITEMS, 16) and model.item_vectors().isfinite().all()


def test_two_items_with_one_text_have_one_vector_whatever_happened_to_them():
    model = small(texts=[*TEXTS[:6], "red one", "blue two"]).fit(uneven())
    vectors = model.item_vectors()
    torch.testing.assert_close(vectors[[6, 7]], vectors[[0, 1]])


@pytest.mark.parametrize("tuning", ["frozen", "lora", "full"])
def test_a_text_of_no_catalogue_gets_the_vector_that_it_would_have_in_one(tuning):
    model = small(tuning=tuning).fit(uneven())
    torch.testing.assert_close(model.text_vectors(["blue six", "red one"]), model.item_vectors()[[5, 0]])
    with pytest.raises(ValueError, match="'mauve' is not in list"):
        model.text_vectors(["mauve"])


def test_a_text_has_the_same_vector_alone_and_beside_a_longer_one():
    texts = ["red", "red one two three four five", *TEXTS[2:]]
    towers = small(texts=texts).fit(uneven()).towers_
    with torch.no_grad():
        torch.testing.assert_close(towers.read_items(tensor([0]))[0], towers.read_items(tensor([1, 0, 4]))[1])


def test_the_vectors_are_those_of_the_network_itself():
    encoder = TinyEncoder()
    model = small(tuning="frozen", encoder=encoder, epochs=0, head_epochs=0).fit(uneven())
    ids = tensor(encoder.tokenize(["blue four"]))
    with torch.no_grad():
        states = encoder.network(input_ids=ids).last_hidden_state[0]
    expected = nn.functional.normalize(states.mean(0), dim=0)
    torch.testing.assert_close(model.item_vectors()[3], expected)
    tuned = small(encoder=encoder, epochs=0, head_epochs=0).fit(uneven())
    torch.testing.assert_close(tuned.item_vectors(), model.item_vectors())


# --- what learns


@pytest.mark.parametrize("tuning", ["frozen", "lora", "full"])
def test_the_encoder_that_was_given_stays_as_it_is(tuning):
    encoder = TinyEncoder()
    before = copy.deepcopy(encoder.network.state_dict())
    small(tuning=tuning, encoder=encoder).fit(uneven())
    after = encoder.network.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    assert not encoder.network.training


def test_frozen_learns_the_two_matrices_and_nothing_else():
    model = small(tuning="frozen").fit(uneven())
    assert model.n_trainable_ == {"encoder": 0, "heads": 2 * (16 * 16 + 16)}
    untrained = small(tuning="frozen", epochs=0, head_epochs=0).fit(uneven())
    assert torch.equal(model.towers_.vectors, untrained.towers_.vectors)
    assert not torch.equal(model.towers_.item.weight, untrained.towers_.item.weight)


def test_lora_learns_rank_times_both_sides_of_each_matrix_and_leaves_the_base_alone():
    model = small(tuning="lora", rank=3, n_layers=2).fit(uneven())
    assert model.n_trainable_["encoder"] == 2 * 2 * 3 * (16 + 16)  # layers, query and value, r (d_in + d_out)
    start = small(tuning="lora", rank=3, n_layers=2, epochs=0).fit(uneven())
    before, after = encoder_weights(start), encoder_weights(model)
    moved = {name.rpartition(".")[2] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"down", "up"}


def test_full_learns_every_weight_of_the_last_layers_and_none_below():
    model, start = small(n_layers=1).fit(uneven()), small(n_layers=1, epochs=0).fit(uneven())
    before, after = encoder_weights(start), encoder_weights(model)
    assert model.n_trainable_["encoder"] == sum(weight.numel() for weight in before.values())
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert still == []
    assert all(torch.equal(a, b) for a, b in zip(model.towers_.hidden, start.towers_.hidden, strict=True))


@pytest.mark.parametrize("tuning", ["lora", "full"])
def test_tuning_starts_from_what_the_frozen_encoder_with_its_heads_gives(tuning):
    users = torch.arange(13)
    frozen = small(tuning="frozen", epochs=0).fit(uneven())
    torch.testing.assert_close(small(tuning=tuning, epochs=0).fit(uneven()).scores(users), frozen.scores(users))


def test_the_target_is_not_in_the_history_that_predicts_it():
    model = small(tuning="frozen", epochs=0, head_epochs=0).fit(
        Interactions.from_events([0, 0, 0], [0, 1, 4], n_items=N_ITEMS)
    )
    step, vectors = _Steps(model, torch.Generator()), model.towers_.vectors
    found = step.histories(tensor([0, 0]), tensor([4, 1]))
    expected = nn.functional.normalize(torch.stack([vectors[[0, 1]].mean(0), vectors[[0, 4]].mean(0)]), dim=1)
    torch.testing.assert_close(found.detach(), expected)


def test_the_loss_of_a_step_is_in_batch_softmax_with_log_q_and_without_films_that_the_user_likes():
    model = small(epochs=0, head_epochs=0).fit(uneven())
    step, likes = _Steps(model, torch.Generator()), uneven().positives()
    users, targets = step.users, step.items
    own = model.towers_.items(model.towers_.vectors)[targets]  # [batch, dim]
    share = likes.item_counts()[targets] / len(likes)
    scores = step.histories(users, targets) @ own.T / 0.1 - share.log().to(own.device)  # [batch, batch]
    known = likes.dense(users)[:, targets].fill_diagonal_(False).to(own.device)
    expected = (scores.masked_fill(known, -torch.inf).logsumexp(1) - scores.diagonal()).mean()
    torch.testing.assert_close(step.loss(torch.arange(len(targets)), tuned=False), expected)
    assert expected > 0.1


def test_histories_take_up_what_a_step_has_read():
    model = small(epochs=0, head_epochs=0).fit(uneven())
    step, towers = _Steps(model, torch.Generator()), model.towers_
    before, rows = towers.vectors.clone(), (step.items < 3).nonzero()[:, 0]
    with torch.no_grad():
        for weight in towers.layers.parameters():
            weight.mul_(1.5)  # as if it had learnt
    step.loss(rows, tuned=True)
    torch.testing.assert_close(towers.vectors[:3], towers.read_items(torch.arange(3)).detach())
    assert torch.equal(towers.vectors[3:], before[3:])


def test_a_step_reads_few_films_and_an_epoch_every_liked_one():
    model = small(epochs=0, head_epochs=0).fit(uneven())
    step = _Steps(model, torch.Generator().manual_seed(0))
    groups = [step.items[rows] for rows in step.batches()]
    liked = set(uneven().positives().items.tolist())
    assert all(len(films.unique()) <= 4 and len(films) <= 32 for films in groups)
    assert sorted(film for films in groups for film in films.unique().tolist()) == sorted(liked)


def test_the_first_loss_is_that_of_guessing_and_both_losses_fall():
    """Scores are about equal at the first step, for a temperature this high."""
    users, items = torch.arange(200).repeat_interleave(4), torch.arange(800) % N_ITEMS
    train = Interactions.from_events(users, (items * 3 + users) % N_ITEMS, n_items=N_ITEMS)
    model = small(loss="bce", temperature=1e3, head_epochs=0, epochs=1).fit(train)
    assert model.history_.first_loss == pytest.approx(math.log(2), abs=0.01)
    for loss in ("softmax", "bce"):
        history = small(loss=loss, head_epochs=0, epochs=30, n_films=8).fit(checkerboard()).history_
        assert history.loss[-1] < history.loss[0]


def test_another_rating_of_a_liked_item_changes_nothing_for_ratings_are_no_labels():
    loud, quiet = (checkerboard(rating=rating) for rating in (5.0, 4.0))
    users = torch.arange(13)
    assert torch.equal(small(loss="bce").fit(loud).scores(users), small(loss="bce").fit(quiet).scores(users))


# --- training


def test_an_interrupted_fit_goes_on_where_it_was(tmp_path):
    def rising(start: int, stop: int):
        epochs = iter(range(start, stop))
        return lambda: next(epochs)  # raises StopIteration in the epoch after

    users, path = torch.arange(13), tmp_path / "bert.pt"
    whole = small().fit(uneven(), score=rising(0, 10))
    with pytest.raises(StopIteration):
        small().fit(uneven(), score=rising(0, 4), checkpoint=path)
    resumed = small().fit(uneven(), score=rising(4, 10), checkpoint=path)
    assert resumed.history_.loss == whole.history_.loss
    assert torch.equal(resumed.scores(users), whole.scores(users))


def test_the_validation_score_is_that_of_the_model_as_it_is_with_every_text_read_anew():
    model, seen = small(epochs=3), []

    def score() -> float:
        with torch.no_grad():
            fresh = model.towers_.read_items(torch.arange(N_ITEMS))
        torch.testing.assert_close(model.towers_.vectors, fresh)
        seen.append(model.scores(torch.arange(13)))
        return [0.1, 0.9, 0.2][len(seen) - 1]

    model.fit(uneven(), score=score)
    assert model.history_.best_epoch == 2
    torch.testing.assert_close(model.scores(torch.arange(13)), seen[1])


def test_a_learning_rate_that_diverges_is_named_and_the_model_still_answers():
    model = small(learning_rate=1e30, temperature=0.001, warmup=0)
    with pytest.raises(Diverged, match=r"learning rate 1e\+30 is too high"):
        model.fit(uneven())
    assert model.scores(torch.arange(13)).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tuning": "half"}, "tuning must be one of frozen, lora, full, got 'half'"),
        ({"loss": "mse"}, "loss must be one of softmax, bce, got 'mse'"),
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"rank": 0}, "rank must be at least 1, got 0"),
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
        ({"n_layers": 3}, "n_layers must be at most 2, as the encoder, got 3"),
        ({"texts": TEXTS[:7]}, "texts must be one for each of the 8 items, got 7"),
        ({"texts": TEXTS[0]}, "texts must be a list of texts, not one text"),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        small(**changes).fit(uneven())


# --- LoRA by itself


def adapted(rank: int = 2, alpha: float | None = None) -> LoRALinear:
    """A layer of 5 to 3 with random matrices beside it, as after training."""
    with seeded(1):
        layer = LoRALinear(nn.Linear(5, 3), rank, alpha)
        nn.init.normal_(layer.up)
    return layer


def test_lora_equals_its_base_at_the_start_and_only_the_two_small_matrices_learn():
    with seeded(0):
        base = nn.Linear(5, 3)
        layer, x = LoRALinear(base, rank=2), torch.randn(4, 5)
    assert torch.equal(layer(x), base(x))
    learnt = {name: weight.numel() for name, weight in layer.named_parameters() if weight.requires_grad}
    assert learnt == {"down": 2 * 5, "up": 2 * 3}


def test_at_the_start_one_matrix_gets_a_gradient_and_with_both_at_zero_none_would():
    with seeded(0):
        layer, x = LoRALinear(nn.Linear(5, 3), rank=2), torch.randn(4, 5)
    layer(x).square().sum().backward()
    assert layer.up.grad.abs().sum() > 0 and layer.down.grad.abs().sum() == 0
    nn.init.zeros_(layer.down)
    layer.zero_grad()
    layer(x).square().sum().backward()
    assert layer.up.grad.abs().sum() == 0 and layer.down.grad.abs().sum() == 0


@settings(max_examples=25, deadline=None)
@given(rank=st.integers(1, 6), alpha=st.sampled_from([None, 0.5, 4.0, 16.0]), rows=st.integers(1, 4))
def test_a_merged_layer_gives_what_the_two_paths_gave(rank, alpha, rows):
    layer, x = adapted(rank, alpha), torch.randn(rows, 5)
    before = layer.base.weight.clone()
    merged = layer.merged()
    torch.testing.assert_close(merged(x), layer(x))
    assert type(merged) is nn.Linear and torch.equal(layer.base.weight, before)
    torch.testing.assert_close(layer.merged()(x), layer(x))  # merging twice adds once


def test_alpha_over_rank_is_the_factor():
    x = torch.ones(1, 5)
    layer = adapted(rank=2, alpha=8.0)
    torch.testing.assert_close(layer(x) - layer.base(x), 4 * (x @ layer.down.T @ layer.up.T))


def test_lora_equals_that_of_peft_on_the_same_matrices():
    from peft import LoraConfig, get_peft_model

    with seeded(0):
        theirs = get_peft_model(nn.Sequential(nn.Linear(5, 3)), LoraConfig(r=2, lora_alpha=6, target_modules=["0"]))
    part = theirs.base_model.model[0]
    ours, x = LoRALinear(copy.deepcopy(part.base_layer), rank=2, alpha=6), torch.randn(4, 5)
    with torch.no_grad():
        part.lora_B["default"].weight.normal_()
        ours.down.copy_(part.lora_A["default"].weight)
        ours.up.copy_(part.lora_B["default"].weight)
    torch.testing.assert_close(ours(x), theirs(x))
    count = sum(weight.numel() for weight in theirs.parameters() if weight.requires_grad)
    assert count == sum(weight.numel() for weight in ours.parameters() if weight.requires_grad) == 2 * (5 + 3)


# --- the cross-encoder


def pairs_of_one_colour() -> tuple[list[tuple[str, str]], Tensor]:
    pairs = [(a, b) for a in TEXTS for b in TEXTS if a != b]
    return pairs, tensor([float(a.split()[0] == b.split()[0]) for a, b in pairs])


def test_a_cross_encoder_learns_which_texts_belong_together():
    pairs, labels = pairs_of_one_colour()
    model = CrossEncoder(epochs=30, learning_rate=0.003, batch_size=14, encoder=TinyEncoder()).fit(pairs, labels)
    scores = model.scores(pairs)
    assert scores.shape == (56,) and scores[labels == 1].min() > scores[labels == 0].max()
    alone = torch.cat([model.scores([pair]) for pair in pairs[:5]])
    torch.testing.assert_close(alone, scores[:5])  # its padding and its neighbours change nothing


def test_a_cross_encoder_tells_the_second_text_from_the_first_by_its_kind_of_token():
    model, seen = CrossEncoder(epochs=0, encoder=TinyEncoder()).fit([("red one", "blue")], tensor([1.0])), {}
    model.network_.register_forward_pre_hook(lambda _, args, named: seen.update(named), with_kwargs=True)
    model.scores([("red one", "blue"), ("red", "one")])
    assert seen["input_ids"].tolist() == [[1, 3, 6, 2, 4, 2], [1, 3, 2, 6, 2, 0]]
    assert seen["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]]
    assert seen["attention_mask"].tolist() == [[1] * 6, [1] * 5 + [0]]


def test_a_cross_encoder_refuses_ratings_as_labels_for_their_loss_has_no_floor():
    pairs, _ = pairs_of_one_colour()
    ratings = 1 + torch.arange(56) % 5
    with pytest.raises(ValueError, match="labels must lie in 0 to 1, got 1 to 5: ratings are no labels"):
        CrossEncoder(encoder=TinyEncoder()).fit(pairs, ratings.float())


def test_a_cross_encoder_without_a_label_for_each_pair_is_refused():
    pairs, labels = pairs_of_one_colour()
    with pytest.raises(ValueError, match="labels must be one for each of the 56 pairs, got shape \\[55\\]"):
        CrossEncoder(encoder=TinyEncoder()).fit(pairs, labels[1:])
    with pytest.raises(ValueError, match="labels must be one for each of the 56 pairs, got shape \\[56, 1\\]"):
        CrossEncoder(encoder=TinyEncoder()).fit(pairs, labels.unsqueeze(1))


# --- on real films


@pytest.mark.slow
def test_on_three_draws_of_cold_films_lora_beats_its_frozen_twin_and_full_tuning_is_a_lottery(say):
    """The numbers that lesson 09 states; among the cold films alone, NDCG@10, one seed a draw."""
    torch.set_num_threads(1)
    movies = data.movielens("100k")
    texts, encoder, runs = film_texts(movies), TextEncoder(), {"frozen": [], "lora": [], "full": [], "popular": []}
    for seed in range(3):
        split = data.cold_item_split(movies.ratings, seed=seed)
        cold = split.held_out.items.unique()
        models = {
            name: BertRecommender(texts, name, learning_rate=rate, encoder=encoder)
            for name, rate in (("frozen", 3e-4), ("lora", 3e-3), ("full", 3e-4))
        }
        for name, model in (models | {"popular": Popularity()}).items():
            runs[name].append(metrics.evaluate(model.fit(split.train), split.test, candidates=cold))
    gains = {
        name: [
            metrics.paired_bootstrap(run.per_user["ndcg"], base.per_user["ndcg"])
            for run, base in zip(runs[name], runs["frozen"], strict=True)
        ]
        for name in ("lora", "full")
    }
    mean = {name: metrics.average_seeds(evaluations) for name, evaluations in runs.items()}
    gain = {n: metrics.paired_bootstrap(mean[n].per_user["ndcg"], mean["frozen"].per_user["ndcg"]) for n in gains}
    over_popular = metrics.paired_bootstrap(mean["lora"].per_user["ndcg"], mean["popular"].per_user["ndcg"])
    for name, evaluation in mean.items():
        say(
            " ".join(
                [f"{name:8} {evaluation.interval('ndcg')}", *map(str, gains.get(name, ())), str(gain.get(name, ""))]
            )
        )
    assert gain["lora"].low > 0 and over_popular.low > 0.1
    assert min(g.high for g in gains["full"]) < 0 < max(g.low for g in gains["full"])
