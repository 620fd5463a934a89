"""Exercises of lesson 11: crosses in linear time, target attention, calibration, two goals, position, AUC in groups."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.metrics import auc
from recsys_course.review import Review


def _noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fm_score(x: Tensor, bias: float, weights: Tensor, vectors: Tensor) -> Tensor:
    """Bias, weights and all pairs of features: `[batch, n]`, a number, `[n]`, `[n, k]` to `[batch]`."""
    total = x @ vectors  # [batch, k], the sum of the vectors, each times its value
    squares = x.square() @ vectors.square()  # [batch, k]
    return bias + x @ weights + (total.square() - squares).sum(dim=1) / 2


def _features(seed: int, batch: int, n: int, k: int) -> tuple:
    return _noise(seed, batch, n), 0.5, _noise(seed + 1, n), _noise(seed + 2, n, k)


ONE_PAIR = (torch.tensor([[1.0, 1.0]]), 0.5, torch.tensor([0.1, 0.2]), torch.tensor([[1.0, 2.0], [3.0, 1.0]]))
THREE = (torch.tensor([[2.0, 0.0, 1.0]]), 0.0, torch.tensor([1.0, 5.0, -1.0]), torch.tensor([[1.0], [7.0], [3.0]]))
ALONE = (torch.tensor([[3.0]]), 1.0, torch.tensor([2.0]), torch.tensor([[4.0, 1.0]]))


def _fm(cross: Callable, straight: Callable = lambda x, w: x @ w, start: Callable = lambda b: b) -> Callable:
    """A score with other crosses, another straight part or another bias."""
    return lambda x, b, w, v: start(b) + straight(x, w) + cross(x, v)


def _pairs(x: Tensor, v: Tensor) -> Tensor:
    return ((x @ v).square() - x.square() @ v.square()).sum(1) / 2


FM_SCORE = Exercise(
    id="11.fm_score",
    level="medium",
    minutes=8,
    reference=fm_score,
    cases=(ONE_PAIR, THREE, ALONE, _features(10, 3, 5, 2), _features(20, 2, 1500, 3)),
    hidden=(_features(30, 4, 7, 3), _features(40, 1, 2, 1)),
    tolerance=1e-3,
    hints=(
        "(a + b + c) squared holds every product twice, and a, b and c squared besides.",
        "Sum the vectors, each times its value: `x @ vectors`, `[batch, k]`. Square the sum; take off the sum of "
        "the squares.",
        "`((x @ vectors).square() - x.square() @ vectors.square()).sum(dim=1) / 2`, plus the bias and `x @ weights`.",
    ),
    mistakes=(
        (
            _fm(lambda x, v: 2 * _pairs(x, v)),
            "You counted each pair twice, i with j and j with i: halve the sum.",
        ),
        (
            _fm(lambda x, v: (x @ v).square().sum(1) / 2),
            "You crossed each feature with itself as well: take off the sum of the squares.",
        ),
        (
            _fm(lambda x, v: ((x @ v).square() - x @ v.square()).sum(1) / 2),
            "In what you take off the value is not squared: it is (x v) squared, `x.square() @ vectors.square()`.",
        ),
        (
            _fm(lambda x, v: ((x @ v).square() - (x @ v.square())).sum(1)),
            "In what you take off the value is not squared, and each pair is counted twice.",
        ),
        (
            _fm(lambda x, v: _pairs(x, v), straight=lambda x, w: 0),
            "The straight part is missing: `x @ weights`.",
        ),
        (
            _fm(lambda x, v: _pairs(x, v), start=lambda b: 0),
            "The bias is missing.",
        ),
        (
            _fm(lambda x, v: 0),
            "The pairs are missing: this is a straight line.",
        ),
        (
            _fm(lambda x, v: _pairs((x != 0).float(), v)),
            "Your pairs ignore the values: a feature with value 2 counts twice as much in each pair.",
        ),
        (
            _fm(lambda x, v: ((x @ v).square().sum(1) - (x @ v.square()).sum(1).square()) / 2),
            "You squared after summing over the vector's numbers. Square each number first, sum over k last.",
        ),
        (
            _fm(lambda x, v: (x @ v).square().sum(1)),
            "You took all of `vectors @ vectors.T`: each pair twice, and each feature with itself.",
        ),
        (
            _fm(lambda x, v: ((x @ v).square() + x.square() @ v.square()).sum(1) / 2),
            "A pair is i before j: you included i with itself.",
        ),
        (
            _fm(lambda x, v: -_pairs(x, v)),
            "Your pairs have the wrong sign: the square of the sum, minus the sum of the squares.",
        ),
        (
            _fm(lambda x, v: _pairs(x, v) / v.shape[1]),
            "You took the mean over k. An inner product is a sum.",
        ),
        (
            _fm(lambda x, v: ((x @ v).square() - x.square() @ v).sum(1) / 2),
            "In what you take off the vectors are not squared.",
        ),
        (
            lambda x, b, w, v: (b + x @ w + 2 * _pairs(x, v)) / 2,
            "You halved bias and straight part as well: the half belongs to the pairs alone.",
        ),
        (
            lambda x, b, w, v: b + w.sum() + _pairs(x, v),
            "In the straight part the weights lack their values: `x @ weights`.",
        ),
        (
            lambda x, b, w, v: (b + x @ w).unsqueeze(1) + ((x @ v).square() - x.square() @ v.square()) / 2,
            "One number a row is asked for: sum over the k numbers of the vectors, the last axis.",
        ),
        (
            lambda x, b, w, v: fm_score(x, b, w, v).sigmoid(),
            "You returned a probability. Asked for is the score, before the sigmoid.",
        ),
    ),
)


def target_attention(candidates: Tensor, history: Tensor, real: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """The history as the candidate sees it: `[batch, dim]`, `[batch, length, dim]` to `[batch, dim]`."""
    c = candidates.unsqueeze(1).expand_as(history)  # [batch, length, dim]
    seen = torch.cat([c, history, c - history, c * history], dim=2)  # [batch, length, 4 * dim]
    weights = (seen @ first).relu() @ second  # [batch, length]
    return ((weights * real).unsqueeze(2) * history).sum(dim=1)


def _attended(seed: int, batch: int, length: int, dim: int, hidden: int) -> tuple:
    real = torch.arange(length) >= torch.arange(batch).unsqueeze(1) % (length + 1)  # filler in front
    shapes = (batch, dim), (batch, length, dim), (4 * dim, hidden), (hidden,)
    c, h, first, second = (_noise(seed + n, *shape) for n, shape in enumerate(shapes))
    return c, h, real, first, second


def _two_films(real: list[bool]) -> tuple:
    """One number a film; the weight is candidate times film."""
    first, second = torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.tensor([1.0])
    return torch.tensor([[2.0]]), torch.tensor([[[1.0], [3.0]]]), torch.tensor([real]), first, second


BOTH, ONE_FILLER, NOTHING = _two_films([True, True]), _two_films([False, True]), _two_films([False, False])


def _attends(seen: Callable | None = None, share: Callable | None = None, pool: Callable | None = None) -> Callable:
    """Attention that compares, weighs or sums in another way."""

    def answer(c: Tensor, h: Tensor, real: Tensor, first: Tensor, second: Tensor) -> Tensor:
        wide = c.unsqueeze(1).expand_as(h)
        parts = (wide, h, wide - h, wide * h) if seen is None else seen(wide, h)
        weights = (torch.cat(parts, dim=2) @ first).relu() @ second
        weights = weights * real if share is None else share(weights, real)
        return (weights.unsqueeze(2) * h).sum(1) if pool is None else pool(weights, h, wide, real)

    return answer


TARGET_ATTENTION = Exercise(
    id="11.target_attention",
    level="medium",
    minutes=10,
    reference=target_attention,
    cases=(BOTH, ONE_FILLER, NOTHING, _attended(10, 3, 4, 2, 3), _attended(20, 5, 3, 3, 4)),
    hidden=(_attended(30, 6, 5, 2, 2), _attended(40, 2, 1, 4, 3)),
    hints=(
        "Give the candidate an axis and spread it: `candidates.unsqueeze(1).expand_as(history)`. Then both fit beside "
        "each other.",
        "Four parts in this order: candidate, film, difference, product. Then `@ first`, ReLU, `@ second`: one weight "
        "a film.",
        "There is no softmax, so filler gets weight 0 by multiplication: `weights * real`. Then `(weights.unsqueeze(2) "
        "* history).sum(dim=1)`.",
    ),
    mistakes=(
        (
            _attends(share=lambda w, real: w),
            "Filler counts in your sum: multiply its weights by 0.",
        ),
        (
            _attends(share=lambda w, real: w.masked_fill(~real, -1e9)),
            "You masked with a very low number, as before a softmax. There is none here: filler would count -1e9 "
            "times. Its weight is 0.",
        ),
        (
            _attends(share=lambda w, real: w.masked_fill(~real, -torch.inf)),
            "You masked with -inf, as before a softmax. There is none here, so -inf ends up in the sum. The weight of "
            "filler is 0.",
        ),
        (
            _attends(share=lambda w, real: w.masked_fill(~real, torch.finfo(w.dtype).min).softmax(1) * real),
            "You normalised with a softmax. Then one fitting film weighs as much as ten, and how strong an interest "
            "is, is lost. (The authors' code has one, the paper has not.)",
        ),
        (
            _attends(share=lambda w, real: w.masked_fill(~real, -torch.inf).softmax(1)),
            "There is a softmax in your answer, and without a history it is NaN. Asked for are the plain weights.",
        ),
        (
            _attends(share=lambda w, real: w * real / real.sum(1, keepdim=True).clamp(min=1)),
            "You took the mean. Sum: that ten films fit is more than that one does.",
        ),
        (
            _attends(pool=lambda w, h, c, real: (w.unsqueeze(2) * c).sum(1)),
            "You summed the candidate. The films of the history are what is summed.",
        ),
        (
            _attends(seen=lambda c, h: (c, h, h - c, c * h)),
            "The difference is candidate minus film; yours is the other way round.",
        ),
        (
            _attends(seen=lambda c, h: (h, c, c - h, c * h)),
            "Candidate first, film second: the rows of `first` expect this order.",
        ),
        (
            lambda c, h, real, first, second: (h * real.unsqueeze(2)).sum(1),
            "You summed all films alike. The candidate decides how much each one counts.",
        ),
        (
            lambda c, h, real, first, second: ((_seen(c, h) @ first @ second * real).unsqueeze(2) * h).sum(1),
            "The ReLU between the two layers is missing.",
        ),
        (
            lambda c, h, real, first, second: (((_seen(c, h) @ first).relu() @ second * ~real).unsqueeze(2) * h).sum(1),
            "You kept the filler and dropped the films: `real` is True for films.",
        ),
        (
            lambda c, h, real, first, second: (((_seen(c, h) @ first @ second).relu() * real).unsqueeze(2) * h).sum(1),
            "The ReLU stands between the two layers, not after the second: a weight may be negative.",
        ),
        (
            _attends(share=lambda w, real: w.relu() * real),
            "You put a second ReLU on the weights. A weight may be negative: a film can speak against the candidate.",
        ),
        (
            _attends(share=lambda w, real: w.sigmoid() * real),
            "You squeezed the weights into 0 to 1. Asked for is what `second` gives, as it is.",
        ),
        (
            _attends(seen=lambda c, h: (c, h, c * h, c - h)),
            "Difference third, product last: the rows of `first` expect this order.",
        ),
        (
            _attends(seen=lambda c, h: (c, h, (c - h).abs(), c * h)),
            "The difference keeps its sign.",
        ),
        (
            _attends(share=lambda w, real: w * real / real.shape[1]),
            "You took the mean over the length, filler included. Sum.",
        ),
        (
            _attends(share=lambda w, real: w * real / ((w * real).sum(1, keepdim=True) + 1e-9)),
            "You divided the weights by their sum. They stay as they are: five fitting films are more than one.",
        ),
        (
            lambda c, h, real, first, second: (_seen(c, h) @ first).relu() @ second * real,
            "These are the weights. Multiply each film by its own, and sum over the history.",
        ),
    ),
)


def _seen(c: Tensor, h: Tensor) -> Tensor:
    wide = c.unsqueeze(1).expand_as(h)
    return torch.cat([wide, h, wide - h, wide * h], dim=2)


def calibrate(predictions: Tensor, keep: float) -> Tensor:
    """Probabilities of the whole from those learnt with a share `keep` of the negatives: float `[n]` to `[n]`."""
    return predictions / (predictions + (1 - predictions) / keep)


CALIBRATE = Exercise(
    id="11.calibrate",
    level="easy",
    minutes=7,
    reference=calibrate,
    cases=(
        (torch.tensor([0.2]), 0.1),
        (torch.tensor([0.5, 0.9]), 0.25),
        (torch.tensor([0.0, 1.0, 0.5]), 0.5),
        (torch.tensor([0.3, 0.7]), 1.0),
    ),
    hidden=((torch.tensor([0.01, 0.99, 0.4]), 0.05), (_noise(50, 20).sigmoid(), 0.3)),
    hints=(
        "Count: of 100 rows in the sample 20 are clicks and 80 are not. If one negative in ten was kept, how many were "
        "there?",
        "For each p clicks there were (1 - p) / keep rows without one, not 1 - p.",
        "Clicks over everything: `predictions / (predictions + (1 - predictions) / keep)`.",
    ),
    mistakes=(
        (
            lambda p, w: p * w,
            "You multiplied the probability. It is the odds that are too high, by 1 / keep: for p near 1 the "
            "difference is large.",
        ),
        (
            lambda p, w: p / (p + (1 - p) * w),
            "You went further away: this is what sampling does. To undo it, divide the negatives by keep.",
        ),
        (
            lambda p, w: p / (1 - p) * w,
            "These are odds. A probability is odds / (1 + odds).",
        ),
        (
            lambda p, w: p / (p / w + (1 - p)),
            "You divided the clicks by keep. All of them were kept; the negatives were thinned out.",
        ),
        (
            lambda p, w: p.clone(),
            "Nothing changed. AUC would not notice; whoever bids with these numbers would.",
        ),
        (
            lambda p, w: p * p.mean() * w / (p.mean() * (p.mean() + (1 - p.mean()) / w)),
            "You scaled all rows alike, to the right mean. Each row has its own factor.",
        ),
        (
            lambda p, w: 1 - (1 - p) / w,
            "You scaled the chance of no click, and left the range of probabilities. Count both kinds again, then "
            "divide.",
        ),
        (
            lambda p, w: (1 - p) / w / (p + (1 - p) / w),
            "This is the chance of no click: put the clicks on top.",
        ),
    ),
)


def esmm_loss(click: Tensor, purchase: Tensor, clicks: Tensor, purchases: Tensor) -> Tensor:
    """Cross-entropy of clicks plus that of clicks with a purchase, all rows: four float `[batch]` to a number."""
    log_both = F.logsigmoid(click) + F.logsigmoid(purchase)
    log_else = torch.logaddexp(F.logsigmoid(-click), F.logsigmoid(click) + F.logsigmoid(-purchase))
    both = -(purchases * log_both + (1 - purchases) * log_else).mean()
    return F.binary_cross_entropy_with_logits(click, clicks) + both


def _goals(click: list, purchase: list, clicks: list, purchases: list) -> tuple:
    return tuple(torch.tensor(part, dtype=torch.float32) for part in (click, purchase, clicks, purchases))


def _bce(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels)


def _product(c: Tensor, z: Tensor, y: Tensor, b: Tensor) -> Tensor:
    return F.binary_cross_entropy(c.sigmoid() * z.sigmoid(), b)


def _both(c: Tensor, z: Tensor, b: Tensor, log_else: Callable) -> Tensor:
    """Cross-entropy of click and purchase with another idea of the rest."""
    return -(b * (F.logsigmoid(c) + F.logsigmoid(z)) + (1 - b) * log_else(c, z)).mean()


ESMM_LOSS = Exercise(
    id="11.esmm_loss",
    level="stretch",
    minutes=12,
    reference=esmm_loss,
    cases=(
        _goals([0], [0], [1], [1]),
        _goals([0, 0], [0, 0], [1, 0], [0, 0]),
        _goals([1, -2, 0.5, 3], [0.5, 1, -1, 2], [1, 0, 1, 1], [1, 0, 0, 1]),
        _goals([-60, 60], [-60, 60], [1, 1], [1, 0]),
    ),
    hidden=(
        _goals([2, -1, 0], [-3, 0, 1], [0, 0, 0], [0, 0, 0]),
        _goals([-1, 0.3, 2, 2, -3], [1, 0, -2, 4, 0], [1, 1, 0, 1, 0], [0, 1, 0, 1, 0]),
    ),
    hints=(
        "Two losses, both means over all rows: the click, from its logit; and click with purchase, from the product of "
        "two sigmoids.",
        "The label of the product is `purchases`: 1 only if there was a click and a purchase. Rows without a click are "
        "zeros, not missing.",
        "log of the product: `F.logsigmoid(click) + F.logsigmoid(purchase)`. Log of the rest, no click or a click "
        "without purchase: `torch.logaddexp(F.logsigmoid(-click), F.logsigmoid(click) + F.logsigmoid(-purchase))`.",
    ),
    mistakes=(
        (
            lambda c, z, y, b: _bce(c, y) + (_bce(z[y > 0], b[y > 0]) if (y > 0).any() else 0),
            "You learn the purchase from clicked rows alone. That is what ESMM avoids: its second loss is the "
            "product's, on all rows.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _bce(z, b),
            "You ask the purchase's own logit for click and purchase together. It is the product of both chances that "
            "has this label.",
        ),
        (
            lambda c, z, y, b: _product(c, z, y, b),
            "The click's own loss is missing: the product alone does not say which factor is small.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _bce(c + z, b),
            "You added logits. A product of chances is a sum of their logarithms, not of their logits.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _bce(c * z, b),
            "You multiplied logits. Take the sigmoid of each first.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _product(c, z, y, y * (1 - b)),
            "Your second label is a click without purchase. It is `purchases`.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + F.binary_cross_entropy_with_logits(z, b, weight=y),
            "Your second loss is 0 without a click, so the purchase is learnt from clicked rows alone. ESMM's is the "
            "product's, on all rows.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _both(c, z, b, lambda c, z: F.logsigmoid(c) + F.logsigmoid(-z)),
            "Where nothing was bought you count a click without a purchase alone. No click at all is the other way.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _both(c, z, b, lambda c, z: F.logsigmoid(-c) + F.logsigmoid(-z)),
            "One minus a product is not the product of both opposites. No purchase: no click, or a click without one.",
        ),
        (
            lambda c, z, y, b: esmm_loss(c, z, y, b) / 2,
            "You took the mean of the two losses. Add them.",
        ),
        (
            lambda c, z, y, b: (
                _bce(c, y) + F.binary_cross_entropy((c.sigmoid() * z.sigmoid()).clamp(1e-7, 1 - 1e-7), b)
            ),
            "Clipping keeps the loss finite, and wrong: -60 and -60 should cost 60 + 120, and clipped rows have no "
            "gradient. Add logarithms.",
        ),
        (
            lambda c, z, y, b: len(c) * esmm_loss(c, z, y, b),
            "You summed over the rows. Both losses are means.",
        ),
        (
            lambda c, z, y, b: _bce(c, y) + _product(c, z, y, b),
            "Right, until the product is 0 or 1 in float32: -60 and -60 should cost 60 + 120. Add logarithms instead "
            "of multiplying sigmoids.",
        ),
    ),
)


def ips_loss(logits: Tensor, clicks: Tensor, examined: Tensor) -> Tensor:
    """Cross-entropy as if everybody had looked, right on average: three `[batch]` to a number."""
    labels = clicks / examined
    return (labels * F.softplus(-logits) + (1 - labels) * F.softplus(logits)).mean()


def _looked(logits: list, clicks: list, examined: list) -> tuple:
    return tuple(torch.tensor(part, dtype=torch.float32) for part in (logits, clicks, examined))


def _rows(c: Tensor, s: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(s, c, reduction="none")


IPS_LOSS = Exercise(
    id="11.ips_loss",
    level="stretch",
    minutes=10,
    reference=ips_loss,
    cases=(
        _looked([0], [1], [0.5]),
        _looked([1, 1], [1, 0], [1, 1]),
        _looked([2, -1, 0.5], [1, 0, 1], [1, 0.5, 0.25]),
        _looked([0.3, -3, 1, 0], [0, 1, 0, 0], [0.2, 0.8, 1, 0.5]),
    ),
    hidden=(_looked([3, -40, 0], [1, 1, 0], [0.1, 0.5, 0.3]), _looked([-1, 2], [0, 0], [0.4, 0.9])),
    hints=(
        "A click was seen with chance look times appeal. Which label has the appeal as its mean? Divide.",
        "With y = clicks / examined the loss is cross-entropy: y times -log p plus (1 - y) times -log(1 - p).",
        "-log p is `F.softplus(-logits)`, -log(1 - p) is `F.softplus(logits)`. (1 - y) may be negative: leave it so.",
    ),
    mistakes=(
        (
            lambda s, c, e: _rows(c, s).mean(),
            "This is plain cross-entropy: it learns look times appeal.",
        ),
        (
            lambda s, c, e: (_rows(c, s) / e).mean(),
            "You divided the whole row by the look. A row without a click may be one that nobody saw: divide the "
            "click, and take the same off the negative part.",
        ),
        (
            lambda s, c, e: (c / e * F.softplus(-s) + (1 - c) * F.softplus(s)).mean(),
            "Your clicks count more, but the negative part still counts every unseen film as a refusal: its weight is "
            "1 - clicks / examined, negative for a click.",
        ),
        (
            lambda s, c, e: _rows(c * e, s).mean(),
            "You multiplied by the look. Divide: a click at a place that few look at stands for several.",
        ),
        (
            lambda s, c, e: (_rows(c, s) / e).sum() / (1 / e).sum(),
            "You weighted whole rows by 1 / examined and normalised. The click alone is divided.",
        ),
        (
            lambda s, c, e: F.binary_cross_entropy(s.sigmoid() * e, c),
            "You multiply the prediction by the look. That learns the appeal, too; here the label is divided instead.",
        ),
        (
            lambda s, c, e: (c * F.softplus(-s) + (1 - c) / e * F.softplus(s)).mean(),
            "You divided the rows without a click. It is the click that stands for several.",
        ),
        (
            lambda s, c, e: len(s) * ips_loss(s, c, e),
            "You summed. The loss is the mean.",
        ),
        (
            lambda s, c, e: -(c / e * torch.log(s.abs() + 1e-9)).mean(),
            "You took the logarithm of the logit. Take that of its sigmoid: `-F.softplus(-logits)`.",
        ),
        (
            lambda s, c, e: (c / e * F.softplus(-s)).mean(),
            "The negative part is missing: a model that says yes to everything would be best.",
        ),
    ),
)


def gauc(users: Tensor, scores: Tensor, labels: Tensor) -> tuple[float, int, int]:
    """AUC within users, weighted by rows; users judged, and left out: int `[n]`, float `[n]`, bool `[n]`."""
    total, rows, judged, left_out = 0.0, 0, 0, 0
    for user in users.unique().tolist():
        own = users == user
        value = auc(scores[own], labels[own])
        if value != value:  # NaN: one class only
            left_out += 1
        else:
            total, rows, judged = total + value * int(own.sum()), rows + int(own.sum()), judged + 1
    return (total / rows if rows else float("nan")), judged, left_out


def _people(users: list, scores: list, labels: list) -> tuple:
    return torch.tensor(users), torch.tensor(scores), torch.tensor(labels, dtype=torch.bool)


def _random_people(seed: int, n: int, n_users: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    users = torch.randint(n_users, (n,), generator=generator)
    scores = torch.randint(5, (n,), generator=generator) / 4
    return users, scores, torch.rand(n, generator=generator) < 0.4


def _by_user(weigh: Callable, missing: float | None = None, count: Callable | None = None) -> Callable:
    """GAUC with other weights, another value for users with one class, or other counts."""

    def answer(users: Tensor, scores: Tensor, labels: Tensor) -> tuple:
        values, weights, without = [], [], 0
        for user in users.unique().tolist():
            own = users == user
            value = auc(scores[own], labels[own])
            without += value != value
            value = missing if value != value else value
            if value is not None:
                values.append(value)
                weights.append(float(weigh(labels[own])))
        pairs = zip(values, weights, strict=True)
        mean = sum(v * w for v, w in pairs) / sum(weights) if sum(weights) else float("nan")
        counts = (len(values), without) if count is None else count(users, labels, without)
        return mean, *counts

    return answer


def _mixed(users: Tensor, labels: Tensor) -> Tensor:
    """Rows of users with both classes, bool ``[n]``."""
    return torch.tensor([len(labels[users == user].unique()) == 2 for user in users])


def _rows_judged(users: Tensor, labels: Tensor) -> tuple[int, int]:
    judged = int(_mixed(users, labels).sum())
    return judged, len(users) - judged


def _strict(users: Tensor, scores: Tensor, labels: Tensor) -> float:
    """GAUC in which a tie is lost."""
    kept = _mixed(users, labels)
    wins = [
        (scores[own & labels][:, None] > scores[own & ~labels]).float().mean() * int(own.sum())
        for own in (users == user for user in users[kept].unique())
    ]
    return float(sum(wins) / kept.sum()) if wins else float("nan")


GAUC = Exercise(
    id="11.gauc",
    level="stretch",
    minutes=10,
    reference=gauc,
    cases=(
        _people([1, 1, 2, 2], [0.9, 0.1, 0.2, 0.3], [1, 0, 1, 0]),
        _people([7, 3, 7, 3, 7, 7], [0.5, 0.9, 0.4, 0.1, 0.6, 0.3], [1, 0, 0, 1, 0, 0]),
        _people([0, 0, 0, 4, 4, 5], [0.3, 0.3, 0.1, 0.8, 0.9, 0.5], [1, 0, 0, 1, 1, 0]),
        _random_people(10, 60, 9),
    ),
    hidden=(_random_people(20, 200, 30), _people([2, 2], [0.1, 0.2], [0, 0])),
    hints=(
        "Go through `users.unique()`, take each user's own rows, and call `metrics.auc` on them.",
        "`metrics.auc` is NaN where a user has one class only. Such a user has no pair to order: leave it out, weight "
        "and all, and count it.",
        "Weight each value with the user's number of rows, divide by the sum of these weights alone.",
    ),
    mistakes=(
        (
            lambda u, s, y: (auc(s, y), *gauc(u, s, y)[1:]),
            "This is AUC over all rows: it also pays for knowing who clicks a lot. Compare within users.",
        ),
        (
            _by_user(lambda y: 1),
            "You weighted all users alike. Here a user counts by the number of rows.",
        ),
        (
            _by_user(lambda y: y.sum()),
            "You weighted by clicks. Here a user counts by the number of rows.",
        ),
        (
            _by_user(len, missing=0.5, count=lambda u, y, n: (len(u.unique()) - n, n)),
            "You gave users with one class 0.5. They have no pair to order: leave them out of sum and weights.",
        ),
        (
            _by_user(len, missing=0.0, count=lambda u, y, n: (len(u.unique()) - n, n)),
            "Users with one class pull your mean down: their rows are in the weights, and their value counts as 0.",
        ),
        (
            _by_user(len, missing=1.0, count=lambda u, y, n: (len(u.unique()) - n, n)),
            "You gave users with one class 1. They have no pair to order: leave them out.",
        ),
        (
            _by_user(len, count=lambda u, y, n: (len(u.unique()), n)),
            "Your first count holds all users. It is the number of those with both classes.",
        ),
        (
            _by_user(lambda y: y.sum() * (~y).sum()),
            "You weighted by pairs. Here a user counts by the number of rows.",
        ),
        (
            lambda u, s, y: (_strict(u, s, y), *gauc(u, s, y)[1:]),
            "A tie counts as lost in your answer. It is worth one half, as in `metrics.auc`.",
        ),
        (
            _by_user(len, count=lambda u, y, n: _rows_judged(u, y)),
            "You counted rows. How many users were judged, and how many left out?",
        ),
        (
            lambda u, s, y: gauc(u, s, y)[0],
            "You returned the value alone. Say how many users it stands for, and how many it leaves out.",
        ),
        (
            lambda u, s, y: gauc(u, -s, y),
            "Your order is upside down: higher scores should mean clicks.",
        ),
        (
            lambda u, s, y: (gauc(u, s, y)[0], *gauc(u, s, y)[:0:-1]),
            "The counts are swapped: users judged first, then those left out.",
        ),
    ),
)

review = Review(
    id="11.review",
    faults={
        "torch.bincount(key, rows.clicks)": "the rate is counted before the split, so each row's own click, and all of "
        "the test's, are in its feature. Count what was known before the impression.",
        "clicks.predict(test)": "the position is a feature, and at serving nobody has one yet: what stands in the log "
        "is the old ranker's order, which comes back. Ask as if every film stood at the top: `test.at_top()`.",
        "return p + q": "one head was learnt on a tenth of the negatives, the other was not: their scales differ, and "
        "the sum ranks by the inflated one. Calibrate, then combine.",
    },
    fine={
        "kept = ": "Keeping a tenth of the negatives saves time and hardly changes the order. It is the scale that "
        "has to be repaired.",
        "purchases = ": "Rows with a click give the chance of a purchase after one: the factor that the product needs.",
        "rows.times < 28": "A split by time: learn from the past, judge on the future.",
        "positions=True": "The position as a feature in training is right: it takes the blame for films that nobody "
        "looked at.",
    },
)

check, hint, solution = bind((FM_SCORE, TARGET_ATTENTION, CALIBRATE, ESMM_LOSS, IPS_LOSS, GAUC))
