"""What the answer to O05 (why is this item first?) states."""

import pytest
import torch

from recsys_course import claim, models


def half_width(values):
    """Of the 95 % interval of a mean over users."""
    return float(1.96 * values.std() / len(values) ** 0.5)


class Firsts:
    """The first and the second place of EASE for users with five likes or more, one random split."""

    def __init__(self, model, train):
        likes = torch.from_numpy(train.positives().matrix().toarray()).float()
        self.users = (likes.sum(1) >= 5).nonzero()[:, 0]
        self.likes, self.weights = likes[self.users], model.weights_
        self.seen = torch.from_numpy(train.matrix().toarray() > 0)[self.users]
        scores = self.scores(self.likes)
        self.first, self.second = scores.topk(2).indices.T
        self.score = scores.gather(1, self.first[:, None])[:, 0]
        self.popular = likes.sum(0)

    def scores(self, likes):
        return (likes @ self.weights).masked_fill(self.seen, -9)

    def parts(self, of=None):
        """What each like adds to the first one's score, or to its lead over another, ``[n_users, n_items]``."""
        weights = self.weights[:, self.first] - (0 if of is None else self.weights[:, of])
        return (self.likes * weights.T).masked_fill(self.likes == 0, -9)

    def changed(self, removed):
        """Whether another film comes first without this like, ``[n_users]`` of 0 and 1."""
        likes = self.likes.clone()
        likes[torch.arange(len(likes)), removed] = 0
        return (self.scores(likes).argmax(1) != self.first).float()


@pytest.fixture(scope="module")
def firsts(ease, random_splits):
    return Firsts(ease[0], random_splits[0].train)


def test_a_linear_models_parts_are_the_whole_score(firsts, random_splits):
    parts = firsts.parts().clamp(min=-1) * firsts.likes
    knn = models.ItemKNN().fit(random_splits[0].train)
    user, item = int(firsts.users[0]), int(firsts.first[0])
    total = float(knn.explain(user, item)[1].sum())
    claim(
        "O05.exact",
        "EASE and item-KNN: the parts of the liked films sum to the score",
        torch.allclose(parts.sum(1), firsts.score, atol=1e-4)
        and abs(total - float(knn.scores(torch.tensor([user]))[0, item])) < 1e-4,
    )
    against = ((parts < 0).sum(1) / firsts.likes.sum(1)).mean()
    three = (parts.topk(3).values.sum(1) / firsts.score).median()
    claim(
        "O05.against",
        "In EASE 27 % of a user's likes speak against the film in first place; the three that speak most for it make "
        "41 % of its score (median)",
        abs(float(against) - 0.272) < 0.02 and abs(float(three) - 0.406) < 0.03,
    )


def test_why_first_is_a_question_about_the_lead(firsts):
    best, lead = firsts.parts().argmax(1), firsts.parts(firsts.second).argmax(1)
    claim(
        "O05.lead",
        "For half of 931 users the like that adds most to the first film's score is not the one that adds most to its "
        "lead over the second",
        len(best) == 931 and abs(float((best != lead).double().mean()) - 0.496) < 0.04,
    )
    draw = torch.Generator().manual_seed(0)
    famous = (firsts.likes * firsts.popular).argmax(1)
    removed = {"lead": lead, "random": torch.multinomial(firsts.likes, 1, generator=draw)[:, 0], "famous": famous}
    share = {name: firsts.changed(like) for name, like in removed.items()}
    claim(
        "O05.without",
        "Without the like that adds most to the lead another film is first for 61 % of the users, without a random one "
        "for 13 %, without their most popular one for 23 %; each within 3.5 points",
        abs(float(share["lead"].mean()) - 0.607) < 0.03
        and abs(float(share["random"].mean()) - 0.13) < 0.03
        and abs(float(share["famous"].mean()) - 0.226) < 0.03
        and max(half_width(s) for s in share.values()) < 0.035,
    )


def test_the_numbers_of_a_vector_mean_nothing_one_by_one():
    draw = torch.Generator().manual_seed(0)
    user, item = torch.randn(2, 8, generator=draw)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=draw)).Q
    before, after = user * item, (user @ turn) * (item @ turn)
    claim(
        "O05.rotation",
        "Rotating the vectors of both towers keeps the score and gives other products of the single numbers",
        abs(float(before.sum() - after.sum())) < 1e-5 and float((before - after).abs().max()) > 0.5,
    )


def test_what_the_circulating_heat_map_would_need():
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = lambda: BertConfig(vocab_size=100, **sizes)  # noqa: E731
    state = torch.random.get_rng_state()
    default = BertModel(config()).eval()
    eager = BertModel._from_config(config(), attn_implementation="eager").eval()
    torch.random.set_rng_state(state)
    ids = torch.arange(5, 12)[None]
    with torch.no_grad():
        none, some = (m(ids, output_attentions=True).attentions for m in (default, eager))
    claim(
        "O05.heat-map",
        "transformers: a BERT has no get_attention_weights, gives no attention by default though asked for it, and "
        "with eager one [batch, head, token, token] a layer",
        not hasattr(default, "get_attention_weights")
        and not any(a is not None for a in none or ())
        and [tuple(a.shape) for a in some] == [(1, 2, 7, 7)] * 2,
    )
