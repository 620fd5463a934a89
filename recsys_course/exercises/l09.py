"""Exercises of lesson 09, a BERT recommender: batches, a training step, LoRA, titles, a blend."""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def collate(rows: list[tuple[list[int], float]], padding: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of (token ids, label) to `ids`, int64, and `mask`, bool, `[batch, length]`; `labels`, float `[batch]`."""
    lengths = torch.tensor([len(tokens) for tokens, _ in rows])
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # [batch, length]
    ids = torch.full(mask.shape, padding)
    for row, (tokens, _) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    return ids, mask, torch.tensor([float(label) for _, label in rows])


def _problem_with_batch(answer: Callable, case: tuple) -> str | None:
    """What is wrong with a batch, in words that name the table, its type and its shape."""
    rows, padding = case
    found = answer(rows, padding)
    if not isinstance(found, tuple | list) or len(found) != 3:
        return "expected three tensors: ids, mask, labels"
    for name, got, want in zip(("ids", "mask", "labels"), found, collate(rows, padding), strict=True):
        if not isinstance(got, Tensor):
            return f"{name} is {type(got).__name__}, expected a tensor"
        if got.shape != want.shape:
            return f"{name} has shape {list(got.shape)}, expected {list(want.shape)}"
        if got.dtype != want.dtype:
            return f"{name} is {got.dtype}, expected {want.dtype}"
        wrong = (got != want).flatten(1).any(1) if got.ndim > 1 else got != want
        if wrong.any():
            row = int(wrong.nonzero()[0])
            return f"{name}[{row}] is {got[row].tolist()}, expected {want[row].tolist()}"
    return None


def _padded(rows: list, padding: int, length: int | None = None, left: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    length = length or max(len(tokens) for tokens, _ in rows)
    ids, mask = torch.full((len(rows), length), padding), torch.zeros(len(rows), length, dtype=torch.bool)
    for row, (tokens, _) in enumerate(rows):
        tokens = tokens[:length]
        place = slice(length - len(tokens), length) if left else slice(len(tokens))
        ids[row, place], mask[row, place] = torch.tensor(tokens), True
    return ids, mask, torch.tensor([float(label) for _, label in rows])


def _with(**changes: Callable[[Tensor], Tensor]) -> Callable:
    """The right batch with one of its tables changed."""

    def batch(rows: list, padding: int) -> list[Tensor]:
        tables = dict(zip(("ids", "mask", "labels"), collate(rows, padding), strict=True))
        return [changes.get(name, lambda table: table)(table) for name, table in tables.items()]

    return batch


def _mask_from_ids(rows: list, padding: int) -> tuple[Tensor, Tensor, Tensor]:
    ids, _, labels = collate(rows, padding)
    return ids, ids != padding, labels


TWO = ([([101, 7, 8, 102], 1), ([101, 9, 102], 0)], 0)
ONE = ([([101, 5, 102], 1)], 0)
ANOTHER_PADDING = ([([101, 102], 0), ([101, 4, 6, 6, 102], 1), ([101, 8, 102], 1)], 3)
PADDING_INSIDE = ([([101, 0, 7, 102], 0.5), ([101, 7, 102], 1)], 0)

COLLATE = Exercise(
    id="09.collate",
    level="easy",
    minutes=6,
    reference=collate,
    cases=(TWO, ONE, ANOTHER_PADDING, PADDING_INSIDE),
    hidden=(([([101, n % 7, *range(n), 102], n % 2) for n in range(1, 9)], 1), ([([1], 0), ([2], 1)], 9)),
    verify=_problem_with_batch,
    hints=(
        "The longest text of the batch decides the length. `torch.full((batch, length), padding)` is a table to "
        "write the tokens into, from the left.",
        "The mask comes from the lengths: `torch.arange(length) < lengths.unsqueeze(1)` has one row a text.",
        "One label a row, as floats: `torch.tensor([float(label) for _, label in rows])` has shape [batch].",
    ),
    mistakes=(
        (
            lambda rows, padding: _padded(rows, padding, 512),
            "You padded to 512, all that a BERT can read. The longest text of the batch is enough; the rest is "
            "computed for nothing.",
        ),
        (
            lambda rows, padding: _padded(rows, padding, min(len(tokens) for tokens, _ in rows)),
            "You cut all texts to the shortest one. Fill the short ones up instead.",
        ),
        (
            lambda rows, padding: _padded(rows, padding, left=True),
            "You padded on the left. Positions count from the left in a BERT: text first, then padding.",
        ),
        (
            _mask_from_ids,
            "You guessed the mask from the ids. A text may hold the padding's number itself; the lengths know.",
        ),
        (_with(mask=lambda mask: ~mask), "Your mask is upside down: True where a token stands."),
        (
            _with(mask=lambda mask: mask.float()),
            "Your mask holds 1.0 and 0.0. Added to attention scores these hide nothing: make it bool.",
        ),
        (
            _with(mask=lambda mask: torch.ones_like(mask)),
            "Your mask is True everywhere, so padding would be read as text.",
        ),
        (
            _with(labels=lambda labels: labels.unsqueeze(1)),
            "Your labels are a column [batch, 1]. A loss against logits [batch] then fails, or worse: broadcasts.",
        ),
        (
            _with(labels=lambda labels: labels.long()),
            "Your labels are whole numbers. Binary cross-entropy wants floats, and 0.5 would become 0.",
        ),
        (
            _with(ids=lambda ids: ids.float()),
            "Your ids are floats. They look up rows of a table: whole numbers, int64.",
        ),
        (
            lambda rows, padding: collate(rows, 0),
            "You filled up with 0 whatever `padding` says. Another vocabulary has another number for it.",
        ),
    ),
)


def train_step(model: nn.Module, optimizer: Optimizer, ids: Tensor, mask: Tensor, labels: Tensor) -> float:
    """One step on one batch: `model(ids, mask)` gives logits `[batch, 1]`, `labels` are float `[batch]`."""
    model.train()
    optimizer.zero_grad()
    logits = model(ids, mask).squeeze(1)  # [batch]
    loss = F.binary_cross_entropy_with_logits(logits, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


class _Spy(nn.Module):
    """A small model with a frozen table, dropout and a note of the mode in which it was asked."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.words, self.dropout, self.out = nn.Embedding(12, 4), nn.Dropout(0.5), nn.Linear(4, 1)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))
        self.words.requires_grad_(False)
        self.modes: list[bool] = []

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        self.modes.append(self.training)
        weights = mask.unsqueeze(2).float()
        return self.out(self.dropout((self.words(ids) * weights).sum(1) / weights.sum(1)))  # [batch, 1]


def _problem_with_step(answer: Callable, case: tuple) -> str | None:
    """Compare a step with the right one, from a model in evaluation mode that holds old gradients."""
    seed, batch = case
    mine, right = _Spy(seed), _Spy(seed)
    ids = torch.randint(0, 12, (batch, 5), generator=torch.Generator().manual_seed(seed))
    mask, labels = torch.arange(5) < torch.arange(batch).unsqueeze(1) % 4 + 2, (torch.arange(batch) % 2).float()
    results = []
    for step, model in ((answer, mine), (train_step, right)):
        model.eval()
        for weight in model.out.parameters():
            weight.grad = torch.full_like(weight, 0.5)
        torch.manual_seed(seed)
        results.append(step(model, SGD(model.parameters(), lr=0.1), ids, mask, labels))
    if mine.modes != [True]:
        how = "in evaluation mode" if mine.modes == [False] else f"{len(mine.modes)} times"
        return f"the model was asked {how}, expected once, in training mode"
    if not torch.equal(mine.words.weight, right.words.weight):
        return "a frozen weight has moved"
    if type(results[0]) is not float:
        return f"it returned {type(results[0]).__name__}, expected a float"
    weight, expected = mine.out.weight[0, 0].item(), right.out.weight[0, 0].item()
    if abs(weight - expected) > 1e-6:
        return f"the first weight is {weight:.4f} after the step, expected {expected:.4f}"
    return None if abs(results[0] - results[1]) < 1e-5 else f"the loss is {results[0]:.4f}, expected {results[1]:.4f}"


def _step(
    loss: Callable = lambda logits, labels: F.binary_cross_entropy_with_logits(logits.squeeze(1), labels),
    before: Callable = lambda model, optimizer: (model.train(), optimizer.zero_grad()),
    after: Callable = lambda optimizer: optimizer.step(),
    give: Callable = lambda loss: loss.item(),
) -> Callable:
    """The step with one part exchanged."""

    def step(model: nn.Module, optimizer: Optimizer, ids: Tensor, mask: Tensor, labels: Tensor) -> object:
        before(model, optimizer)
        value = loss(model(ids, mask), labels)
        value.backward()
        after(optimizer)
        return give(value)

    return step


TRAIN_STEP = Exercise(
    id="09.train_step",
    level="medium",
    minutes=8,
    reference=train_step,
    cases=((0, 4), (1, 6), (2, 1), (3, 2)),
    hidden=((4, 16), (5, 1)),
    verify=_problem_with_step,
    hints=(
        "Five things in order: training mode, old gradients away, forward, backward, step.",
        "The model's logits are [batch, 1], the labels [batch]: bring them to one shape with `squeeze(1)`.",
        "`F.binary_cross_entropy_with_logits(logits, labels)` takes raw logits. Return `loss.item()`, a float "
        "without the graph.",
    ),
    mistakes=(
        (
            _step(before=lambda model, optimizer: model.train()),
            "Old gradients are still there: backward adds to them. Call optimizer.zero_grad() first.",
        ),
        (
            _step(before=lambda model, optimizer: optimizer.zero_grad()),
            "The model was left in evaluation mode, so dropout did nothing. Call model.train() first.",
        ),
        (
            _step(loss=lambda logits, labels: F.binary_cross_entropy_with_logits(logits, labels)),
            "Logits [batch, 1] met labels [batch], which raises here and broadcasts elsewhere. Take squeeze(1).",
        ),
        (
            _step(loss=lambda logits, labels: F.binary_cross_entropy_with_logits(logits.squeeze(), labels)),
            "squeeze() removes every axis of length 1: a batch of one loses its batch axis. Say which: squeeze(1).",
        ),
        (
            _step(
                loss=lambda logits, labels: F.mse_loss(logits.expand(-1, len(labels)), labels.expand(len(labels), -1))
            ),
            "Every logit met every label: a [batch, batch] table. Squeeze first, and take binary cross-entropy.",
        ),
        (
            _step(loss=lambda logits, labels: F.mse_loss(logits.squeeze(1), labels)),
            "That is the squared error. These labels are yes or no: binary cross-entropy.",
        ),
        (
            _step(loss=lambda logits, labels: F.binary_cross_entropy_with_logits(logits.sigmoid().squeeze(1), labels)),
            "Two sigmoids: the loss `with_logits` applies one itself. Hand it the raw logits.",
        ),
        (
            _step(
                loss=lambda logits, labels: (
                    F.binary_cross_entropy_with_logits(logits.squeeze(1), labels, reduction="sum") + 0 * len(labels)
                )
            ),
            "You summed over the batch, so twice the batch is twice the step. Take the mean.",
        ),
        (
            _step(after=lambda optimizer: None),
            "Gradients were computed and never used: optimizer.step() is missing.",
        ),
        (_step(give=lambda loss: loss), "You returned the tensor, which keeps the whole graph alive: loss.item()."),
        (
            _step(before=lambda model, optimizer: (model.train().requires_grad_(True), optimizer.zero_grad())),
            "You switched gradients on for every weight. What was frozen on purpose must stay frozen.",
        ),
    ),
)


class LoRALinear(nn.Module):
    """A frozen linear layer and, beside it, two small matrices that learn."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / rank)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        """The base layer's output plus the scaled low-rank one: `[batch, d_in]` to `[batch, d_out]`."""
        return self.base(x) + self.scale * (x @ self.down.T @ self.up.T)

    def merged(self) -> nn.Linear:
        """One plain layer that gives the same; `base` stays as it is."""
        layer = copy.deepcopy(self.base)
        with torch.no_grad():
            layer.weight += self.scale * self.up @ self.down
        return layer


def _problem_with_lora(answer: type, case: tuple) -> str | None:
    """Try a layer before training, in training and merged; matrices may stand either way round."""
    base, rank, alpha = case
    before, x = copy.deepcopy(base), torch.randn(3, base.in_features, generator=torch.Generator().manual_seed(1))
    layer = answer(base, rank, alpha)
    plain = before(x).detach()
    apart = (layer.forward(x) - plain).abs().max().item()
    if not apart < 1e-6:
        return f"before any training its output differs from the base layer's by up to {apart:.3f}"
    return _wrong_learning(layer, base, rank) or _wrong_numbers(layer, before, x, rank, alpha)


def _wrong_learning(layer: nn.Module, base: nn.Linear, rank: int) -> str | None:
    learnt = [weight for weight in layer.parameters() if weight.requires_grad]
    count, expected = sum(weight.numel() for weight in learnt), rank * (base.in_features + base.out_features)
    if count != expected:
        return f"{count} numbers learn, expected rank * (d_in + d_out) = {expected}"
    steps = SGD(learnt, lr=0.1)
    x = torch.ones(2, base.in_features)
    first = layer(x).detach().clone()
    for _ in range(2):
        steps.zero_grad()
        layer(x).square().sum().backward()
        steps.step()
    return "after two steps of training its output is as before" if torch.equal(layer(x), first) else None


@torch.no_grad()
def _wrong_numbers(layer: nn.Module, before: nn.Linear, x: Tensor, rank: int, alpha: float) -> str | None:
    for weight in (weight for weight in layer.parameters() if weight.requires_grad):
        weight.fill_(0.1)
    added, expected = (layer(x) - before(x))[0, 0].item(), alpha * 0.01 * x[0].sum().item()
    if abs(added - expected) > 1e-4:
        return f"with 0.1 everywhere in both matrices it adds {added:.3f}, expected {expected:.3f}"
    wanted, merged = layer(x).clone(), layer.merged()
    if type(merged) is not nn.Linear:
        return "merged() gives no plain nn.Linear"
    if not torch.allclose(layer(x), wanted, atol=1e-5):
        return f"after merged() the layer itself gives {layer(x)[0, 0]:.3f}, no longer {wanted[0, 0]:.3f}"
    if not torch.allclose(merged(x), wanted, atol=1e-5):
        return f"the merged layer gives {merged(x)[0, 0]:.3f} where the two paths gave {wanted[0, 0]:.3f}"
    return None


class _WithBase(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        self.base.requires_grad_(True)


class _BothRandom(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        nn.init.ones_(self.up)


class _BothZero(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        nn.init.zeros_(self.down)


class _FullMatrix(nn.Module):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        self.change = nn.Parameter(torch.zeros_like(base.weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.scale * (x @ self.change.T)


class _Unscaled(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        self.scale = 1.0


class _AlphaAlone(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        self.scale = alpha


class _UpsideDown(LoRALinear):
    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(base, rank, alpha)
        self.scale = rank / alpha


class _Instead(LoRALinear):
    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.down.T @ self.up.T)


class _MergedInPlace(LoRALinear):
    def merged(self) -> nn.Linear:
        with torch.no_grad():
            self.base.weight += self.scale * self.up @ self.down
        return self.base


class _MergedUnscaled(LoRALinear):
    def merged(self) -> nn.Linear:
        layer = copy.deepcopy(self.base)
        with torch.no_grad():
            layer.weight += self.up @ self.down
        return layer


class _MergedBase(LoRALinear):
    def merged(self) -> nn.Linear:
        return copy.deepcopy(self.base)


class _MergedSelf(LoRALinear):
    def merged(self) -> nn.Module:
        return nn.Sequential(self)


def _layer(d_in: int, d_out: int, seed: int) -> nn.Linear:
    layer, generator = nn.Linear(d_in, d_out), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return layer


LORA_LINEAR = Exercise(
    id="09.loralinear",
    name="LoRALinear",
    level="medium",
    minutes=10,
    reference=LoRALinear,
    cases=((_layer(6, 4, 0), 2, 4.0), (_layer(5, 7, 1), 3, 1.5), (_layer(3, 8, 2), 1, 2.0)),
    hidden=((_layer(9, 5, 3), 4, 16.0), (_layer(4, 6, 4), 2, 1.0)),
    verify=_problem_with_lora,
    hints=(
        "Freeze the base with `requires_grad_(False)`. Two `nn.Parameter`s learn: `down` [rank, d_in] and `up` "
        "[d_out, rank].",
        "Start `up` at zero, so that nothing changes, and `down` at random, so that `up` gets a gradient.",
        "forward: `base(x) + alpha / rank * (x @ down.T @ up.T)`. merged: a deep copy of base whose weight gains "
        "`alpha / rank * up @ down`.",
    ),
    mistakes=(
        (_WithBase, "The base learns as well, so nothing is saved: base.requires_grad_(False)."),
        (_BothRandom, "Both matrices start at random, so the layer is another one from the first batch on. up: zeros."),
        (
            _BothZero,
            "Both matrices start at zero: the gradient of each is a multiple of the other, so none ever moves.",
        ),
        (_FullMatrix, "You learn a full matrix beside the base. Two thin ones, multiplied, are the whole point."),
        (_Unscaled, "The factor alpha / rank is missing: with it a rank can be changed without a new learning rate."),
        (_AlphaAlone, "You multiplied by alpha alone. The factor is alpha / rank."),
        (_UpsideDown, "Your factor is rank / alpha: upside down."),
        (_Instead, "The base is gone from your output. The small matrices stand beside it: base(x) + ..."),
        (_MergedInPlace, "merged() wrote into the base, and forward adds the same once more: copy the base first."),
        (_MergedUnscaled, "merged() forgot the factor alpha / rank, so serving and training disagree."),
        (_MergedBase, "merged() gives the base as it was. Add scale * up @ down to the copy's weight."),
        (_MergedSelf, "merged() gives the layer with its two paths. Serving wants one plain nn.Linear."),
    ),
)


def recommend_titles(user: Tensor, items: Tensor, seen: Tensor, titles: list[str], k: int) -> list[str]:
    """The k best unseen titles, best first: float `[dim]`, `[n_items, dim]`, bool `[n_items]` to at most k titles."""
    scores = (items @ user).masked_fill(seen, -torch.inf)  # [n_items]
    best = scores.topk(min(k, int((~seen).sum()))).indices
    return [titles[film] for film in best.tolist()]


def _titles(user: Tensor, items: Tensor, seen: Tensor, titles: list[str], k: int, order: Callable) -> list[str]:
    return [titles[film] for film in order(items @ user, seen, k).tolist()]


def _ordered(order: Callable[[Tensor, Tensor, int], Tensor]) -> Callable:
    """Titles in the order of ``order(scores, seen, k)``."""
    return lambda user, items, seen, titles, k: _titles(user, items, seen, titles, k, order)


def _best(scores: Tensor, seen: Tensor, k: int) -> Tensor:
    return scores.masked_fill(seen, -torch.inf).topk(min(k, int((~seen).sum()))).indices


def _cosine(user: Tensor, items: Tensor, seen: Tensor, titles: list[str], k: int) -> list[str]:
    return recommend_titles(F.normalize(user, dim=0), F.normalize(items, dim=1), seen, titles, k)


def _films(seed: int, n: int, k: int, share: float) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    seen = torch.rand(n, generator=generator) < share
    items = torch.randn(n, 3, generator=generator) * torch.rand(n, 1, generator=generator) * 3
    return torch.randn(3, generator=generator), items, seen, [f"Film {letter:02}" for letter in range(n)], k


FOUR = ["Alien (1979)", "Brazil (1985)", "Casablanca (1942)", "Dumbo (1941)"]
LIKES_FIRST = (
    torch.tensor([1.0, 0.0]),
    torch.tensor([[3.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [1.0, 5.0]]),
    torch.tensor([True, False, False, False]),
    FOUR,
    2,
)
ALL_BELOW_ZERO = (*LIKES_FIRST[:1], -LIKES_FIRST[1].abs(), torch.tensor([False, True, False, True]), FOUR, 1)
TOO_FEW_LEFT = (*LIKES_FIRST[:2], torch.tensor([True, False, True, True]), FOUR, 3)

RECOMMEND_TITLES = Exercise(
    id="09.recommend_titles",
    level="stretch",
    minutes=6,
    reference=recommend_titles,
    cases=(LIKES_FIRST, ALL_BELOW_ZERO, TOO_FEW_LEFT, _films(0, 9, 4, 0.4), _films(1, 12, 5, 0.3)),
    hidden=(_films(2, 40, 10, 0.5), _films(3, 20, 20, 0.7)),
    hints=(
        "One score a film: `items @ user`. What was seen gets `-inf`, so that it can never win.",
        "`topk(k)` gives film numbers. How many are left to choose from? Ask for no more than that.",
        "`[titles[film] for film in best.tolist()]`.",
    ),
    mistakes=(
        (
            _ordered(lambda scores, seen, k: scores.topk(k).indices),
            "Your list holds films that the user has seen. Set their scores to -inf before topk.",
        ),
        (
            lambda user, items, seen, titles, k: _best(items @ user, seen, k),
            "You returned numbers. People read titles: titles[number].",
        ),
        (
            _ordered(lambda scores, seen, k: torch.tensor([i for i in scores.topk(k).indices.tolist() if not seen[i]])),
            "You took the best k and then dropped the seen ones, so the list is too short. Drop first, then choose.",
        ),
        (
            _ordered(lambda scores, seen, k: scores.masked_fill(seen, 0).topk(k).indices),
            "A seen film got a score of 0, which beats every score below 0. Use -inf.",
        ),
        (
            _ordered(lambda scores, seen, k: scores.masked_fill(seen, -torch.inf).topk(k).indices),
            "With fewer than k films left you filled up with seen ones. A shorter list is the right answer.",
        ),
        (
            _ordered(lambda scores, seen, k: scores[~seen].topk(min(k, int((~seen).sum()))).indices),
            "These are places among the unseen films, read as film numbers: the titles belong to other films.",
        ),
        (
            _ordered(lambda scores, seen, k: _best(-scores, seen, k)),
            "Your list begins with the worst film: the largest score comes first.",
        ),
        (_cosine, "You ranked by cosine. The model was trained on the plain inner product: do not normalise here."),
    ),
)


def blend(first: Tensor, second: Tensor, weight: float) -> Tensor:
    """`weight` parts of `first` and the rest of `second`, each user's scores standardised: `[batch, n_items]`."""
    parts = []
    for scores in (first, second):
        centred = scores - scores.mean(dim=1, keepdim=True)  # [batch, n_items]
        parts.append(centred / scores.std(dim=1, correction=0, keepdim=True).clamp(min=1e-12))
    return weight * parts[0] + (1 - weight) * parts[1]


def _standardised(scores: Tensor, dim: int | tuple = 1, least: float = 1e-12, correction: int = 0) -> Tensor:
    spread = scores.std(dim=dim, correction=correction, keepdim=True)
    return (scores - scores.mean(dim=dim, keepdim=True)) / (spread.clamp(min=least) if least else spread)


def _mixed(scale: Callable[[Tensor], Tensor]) -> Callable:
    """The blend of scores that were scaled in another way."""
    return lambda first, second, weight: weight * scale(first) + (1 - weight) * scale(second)


def _squeezed(scores: Tensor) -> Tensor:
    low, high = scores.amin(dim=1, keepdim=True), scores.amax(dim=1, keepdim=True)
    return (scores - low) / (high - low).clamp(min=1e-12)


def _scores(seed: int, batch: int, n_items: int, weight: float) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, batch, n_items, generator=generator)
    return 100 * first + 7, second * torch.rand(batch, 1, generator=generator) - 3, weight


EXAMPLE = (torch.tensor([[1.0, 3.0, 5.0]]), torch.tensor([[10.0, 0.0, 20.0]]), 0.75)
TWO_USERS = (torch.tensor([[0.0, 4.0], [100.0, 300.0]]), torch.tensor([[2.0, 1.0], [1.0, 5.0]]), 0.25)
NO_OPINION = (torch.tensor([[2.0, 2.0, 2.0]]), torch.tensor([[0.0, 1.0, 5.0]]), 0.5)

BLEND = Exercise(
    id="09.blend",
    level="stretch",
    minutes=6,
    reference=blend,
    cases=(EXAMPLE, TWO_USERS, NO_OPINION, _scores(0, 3, 5, 0.9)),
    hidden=(_scores(1, 6, 30, 0.4), _scores(2, 2, 4, 1.0)),
    hints=(
        "Scores of two models have two scales. Bring each user's row to mean 0 and standard deviation 1 first.",
        "`scores.std(dim=1, correction=0, keepdim=True)`: one number a user; keepdim lets it divide the whole row.",
        "A row of equal scores has deviation 0: `clamp(min=1e-12)` before you divide. Then weight * one + "
        "(1 - weight) * other.",
    ),
    mistakes=(
        (
            _mixed(lambda scores: scores),
            "You mixed raw scores. The model with the larger numbers decides alone: standardise each row first.",
        ),
        (
            _mixed(lambda scores: _standardised(scores, dim=0)),
            "You standardised each film over the users. Each user's row has to be comparable: dim=1.",
        ),
        (
            _mixed(lambda scores: _standardised(scores, dim=(0, 1))),
            "You standardised the whole table at once. A user with large scores still drowns the other model.",
        ),
        (
            lambda first, second, weight: blend(second, first, weight),
            "The weight belongs to `first`; you gave it to `second`.",
        ),
        (
            _mixed(lambda scores: _standardised(scores, least=0)),
            "A user whose scores are all equal has deviation 0, and you divided by it: NaN. Clamp it.",
        ),
        (
            _mixed(_squeezed),
            "You brought each row to 0 to 1. One extreme film then squeezes all others: use the standard deviation.",
        ),
        (
            _mixed(lambda scores: scores - scores.mean(dim=1, keepdim=True)),
            "You took off the mean alone. The spread differs as well: divide by the standard deviation.",
        ),
        (
            _mixed(lambda scores: F.normalize(scores, dim=1)),
            "You gave each row length 1. A row of large equal numbers still hides its differences: take off the mean.",
        ),
        (
            _mixed(lambda scores: _standardised(scores, correction=1)),
            "Your deviation divides by n - 1. It describes these scores, no sample of others: correction=0.",
        ),
    ),
)

review = Review(
    id="09.review",
    faults={
        "_, pooled =": "a ModelOutput unpacks into its keys: `pooled` is the string 'pooler_output'. Name what you "
        "want, `self.bert(...).last_hidden_state`, and take a masked mean of it.",
        "lr=1e-3": "fifty times the usual rate of a whole BERT, without warm-up. It is the size of a step that "
        "forgets what pre-training knew.",
        'batch["rating"]': "ratings from 1 to 5 as targets of a binary cross-entropy: for a target above 1 the loss "
        "has no floor, and every logit runs away. Labels are 0 or 1.",
        "loss = criterion(": "logits [batch, 1] against targets [batch]: this loss raises; the squared error would "
        "broadcast to [batch, batch] and only warn.",
        "return score(model, batch)": "`batch` is the last one of the training loop. A model is judged on what it "
        "has not seen: the held-out films.",
    },
    fine={
        "optimizer.zero_grad()": "Right: gradients add up otherwise.",
        "model.train()": "Right: dropout is on while it learns.",
    },
)

check, hint, solution = bind((COLLATE, TRAIN_STEP, LORA_LINEAR, RECOMMEND_TITLES, BLEND))
