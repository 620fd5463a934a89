"""Exercises of lesson 10, sequences: windows, a causal forward pass, a sampled loss, hidden items, a repair."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def make_sequence(items: Tensor, length: int, filler: int) -> tuple[Tensor, Tensor]:
    """What is read and what follows it: int64 `[n_events]`, oldest first, to two int64 `[length]`, filler in front."""
    recent = items[-(length + 1) :]
    padded = F.pad(recent, (length + 1 - len(recent), 0), value=filler)  # [length + 1]
    read, target = padded[:-1], padded[1:]
    return read, torch.where(read == filler, filler, target)  # nothing read, nothing asked


def _numbers(*items: int) -> Tensor:
    return torch.tensor(items, dtype=torch.int64)


def _pair(read: Tensor, target: Tensor, length: int, filler: int, behind: bool = False) -> tuple[Tensor, Tensor]:
    """Both columns cut to their end and filled up."""
    sides = [(length - len(part[-length:])) for part in (read, target)]
    pads = [((0, side) if behind else (side, 0)) for side in sides]
    return tuple(F.pad(part[-length:], pad, value=filler) for part, pad in zip((read, target), pads, strict=True))


def _first_window(items: Tensor, length: int, filler: int) -> tuple[Tensor, Tensor]:
    return make_sequence(items[: length + 1], length, filler)


def _with_first_target(items: Tensor, length: int, filler: int) -> tuple[Tensor, Tensor]:
    padded = F.pad(items[-(length + 1) :], (max(length + 1 - len(items), 0), 0), value=filler)
    return padded[:-1], padded[1:]


def _newest_read(items: Tensor, length: int, filler: int) -> tuple[Tensor, Tensor]:
    read = F.pad(items[-length:], (max(length - len(items), 0), 0), value=filler)
    return read, F.pad(read[1:], (0, 1), value=filler)


MAKE_SEQUENCE = Exercise(
    id="10.make_sequence",
    level="easy",
    minutes=8,
    reference=make_sequence,
    cases=(
        (_numbers(7, 3, 5), 2, 9),
        (_numbers(7, 3, 5), 4, 9),
        (_numbers(4, 8, 2, 6, 1, 0), 3, 9),
        (_numbers(4), 2, 9),
        (_numbers(), 2, 9),
    ),
    hidden=((_numbers(*range(20)), 6, 20), (_numbers(3, 0), 1, 5), (_numbers(2, 1, 0), 8, 3)),
    hints=(
        "Take the newest length + 1 items. All but the last are read; all but the first are guessed.",
        "Fill up in front: `F.pad(recent, (missing, 0), value=filler)`, with missing = length + 1 - len(recent).",
        "The oldest item of a short history has nothing before it: where `read` is filler, `target` is filler too.",
    ),
    mistakes=(
        (
            lambda i, n, f: _pair(i[:-1], i[1:], n, f, behind=True),
            "Your filler stands behind the items. In front, the newest item is always in the last column.",
        ),
        (
            _first_window,
            "You kept the oldest items. The newest tell most: cut at the end, `items[-(length + 1):]`.",
        ),
        (
            lambda i, n, f: _pair(i, i, n, f),
            "Read and target are the same: each place would guess what it has just read. Shift by one.",
        ),
        (
            lambda i, n, f: _pair(i[1:], i[1:], n, f),
            "Your read holds its own target. At each place, read is the item before it.",
        ),
        (
            lambda i, n, f: _pair(i[1:], i[:-1], n, f),
            "You shifted the other way: the place guesses what came before. That is the past, not the next item.",
        ),
        (
            lambda i, n, f: tuple(torch.where(part == f, 0, part) for part in make_sequence(i, n, f)),
            "You filled up with 0. That is a film: use `filler`.",
        ),
        (
            lambda i, n, f: make_sequence(i.flip(0), n, f),
            "Your order is newest first. Oldest first, so that time runs to the right.",
        ),
        (
            lambda i, n, f: make_sequence(i[:-1], n, f),
            "You dropped the newest item. It is read nowhere, but it is a target.",
        ),
        (
            _with_first_target,
            "A place that reads filler has a target in your answer: from nothing it can only learn what comes first. "
            "Let target be filler there.",
        ),
        (
            lambda i, n, f: make_sequence(i[-n:], n, f),
            "You took the newest length items and so got one pair too few. It takes length + 1 items to make length "
            "pairs.",
        ),
        (
            _newest_read,
            "You read the newest item as well, and nothing follows it. Read all but the last, guess all but the first.",
        ),
        (
            lambda i, n, f: tuple(part.masked_fill(part == f, -1) for part in make_sequence(i, n, f)),
            "You filled up with -1. No row of a table has that number but, in Python, the last: use `filler`.",
        ),
        (
            lambda i, n, f: (make_sequence(i, n, f)[0], F.pad(make_sequence(i, n, f)[1][-1:], (n - 1, 0), value=f)),
            "Only your last place asks something. Every place that reads a film guesses the next one: length questions "
            "for one window.",
        ),
    ),
)


def causal_scores(items: Tensor, table: Tensor, positions: Tensor) -> Tensor:
    """Scores of every item at each place: int64 `[batch, length]` to float `[batch, length, n_items]`."""
    filler, length = len(table) - 1, items.shape[1]
    real = items != filler  # [batch, length]
    past = torch.ones(length, length, dtype=torch.bool).tril()
    mask = past & real.unsqueeze(1)  # [batch, length, length], row looks at column
    x = table[items] + positions  # [batch, length, dim]
    x = x + F.scaled_dot_product_attention(x, x, x, mask)
    return (x @ table[:-1].T).masked_fill(~real.unsqueeze(2), 0)


def _read_with(
    mask: Callable[[Tensor, Tensor], Tensor] = lambda past, real: past & real.unsqueeze(1),
    place: Callable[[Tensor], Tensor] = lambda positions: positions,
    add: float = 1.0,
    scored: Callable[[Tensor], Tensor] = lambda table: table[:-1],
    keep: bool = False,
    scale: float | None = None,
    value: Callable[[Tensor, Tensor], Tensor] = lambda x, rows: x,
) -> Callable:
    """The forward pass with one thing changed."""

    def scores(items: Tensor, table: Tensor, positions: Tensor) -> Tensor:
        real, n = items != len(table) - 1, items.shape[1]
        x = table[items] + place(positions)
        seen = mask(torch.ones(n, n, dtype=torch.bool).tril(), real)
        read = F.scaled_dot_product_attention(x, x, value(x, table[items]), seen, scale=scale)
        x = add * x + read.nan_to_num()
        found = x @ scored(table).T
        return found if keep else found.masked_fill(~real.unsqueeze(2), 0)

    return scores


def _read_case(seed: int, n_items: int, dim: int, lengths: list[int]) -> tuple:
    generator, width = torch.Generator().manual_seed(seed), max(lengths)
    items = torch.full((len(lengths), width), n_items)
    for row, length in enumerate(lengths):
        items[row, width - length :] = torch.randperm(n_items, generator=generator)[:length]
    table, positions = (torch.randn(n, dim, generator=generator) for n in (n_items + 1, width))
    return items, table, positions


CAUSAL_SCORES = Exercise(
    id="10.causal_scores",
    level="medium",
    minutes=10,
    reference=causal_scores,
    tolerance=1e-4,
    cases=(_read_case(11, 4, 2, [2]), _read_case(12, 4, 2, [3, 1]), _read_case(13, 6, 4, [4, 2, 3])),
    hidden=(_read_case(14, 9, 8, [7, 1, 5, 2]), _read_case(15, 5, 3, [1])),
    hints=(
        "Three steps: `table[items] + positions`; add what attention reads, under a mask; compare with the rows of "
        "the table that are films.",
        "The mask is `past & real.unsqueeze(1)`: a lower triangle, and no column of filler. "
        "`F.scaled_dot_product_attention(x, x, x, mask)` takes it.",
        "The table's last row is filler and no candidate: `x @ table[:-1].T`. At the end, `masked_fill` the rows of "
        "filler with 0.",
    ),
    mistakes=(
        (
            _read_with(lambda past, real: real.unsqueeze(1).expand(-1, len(past), -1)),
            "The future is read: change item 3 and the scores at place 2 move. Add the lower triangle to the mask.",
        ),
        (
            _read_with(lambda past, real: past.expand(len(real), -1, -1)),
            "Filler is read: it stands in front of all items. Hide its columns, `real.unsqueeze(1)`; "
            "hidden rows do not help.",
        ),
        (
            _read_with(lambda past, real: past.T & real.unsqueeze(1)),
            "Your triangle is upside down: each place reads the future and not the past.",
        ),
        (
            _read_with(lambda past, real: past.tril(-1) & real.unsqueeze(1)),
            "No place reads itself in your answer. Its own item is no secret: keep the diagonal.",
        ),
        (
            _read_with(lambda past, real: ~(past & real.unsqueeze(1))),
            "Your mask is inverted: for `F.scaled_dot_product_attention`, True means that the place may be read.",
        ),
        (_read_with(place=torch.zeros_like), "You left out the positions: add them to the rows of the table."),
        (
            _read_with(value=lambda x, rows: rows),
            "Your values lack the positions. Queries, keys and values are all the same x: table rows and positions.",
        ),
        (
            _read_with(scale=1.0),
            "Your attention is not scaled: divide the inner products by the square root of dim before the softmax.",
        ),
        (
            _read_with(scored=lambda table: table[1:]),
            "You left out the table's first row, which is a film. Filler is the last: `table[:-1]`.",
        ),
        (_read_with(add=0.0), "You replaced x by what attention reads. Add it: x + attention."),
        (
            lambda items, table, positions: F.pad(causal_scores(items, table, positions), (0, 1)),
            "Filler is a candidate in your answer: n_items + 1 scores. Leave out the table's last row.",
        ),
        (
            _read_with(keep=True),
            "Your scores at places of filler are not 0. They mean nothing: set them to 0.",
        ),
        (
            lambda items, table, positions: causal_scores(items, table, positions)[:, -1],
            "You returned the last place alone. In training every place guesses: [batch, length, n_items].",
        ),
        (
            lambda items, table, positions: causal_scores(items, table, positions).softmax(2),
            "You returned probabilities. Scores are asked for; the loss takes the softmax.",
        ),
    ),
)


def sampled_loss(targets: Tensor, drawn: Tensor, negatives: Tensor, liked: Tensor, real: Tensor) -> Tensor:
    """Mean softmax loss over real places, a liked item being no negative.

    Scores of the targets `[batch, length]` and of the drawn `[batch, length, n]`; which items were drawn, int64
    `[batch, length, n]`; what each user likes, bool `[batch, n_items]`; and real places, bool `[batch, length]`.
    """
    wrong = liked.unsqueeze(1).expand(-1, targets.shape[1], -1).gather(2, negatives)  # [batch, length, n]
    every = torch.cat([targets.unsqueeze(2), drawn.masked_fill(wrong, -torch.inf)], dim=2)
    return (every.logsumexp(dim=2) - targets)[real].mean()


def _loss_case(seed: int, counts: list[int], n: int, n_items: int = 8, mixed: bool = True) -> tuple:
    """Scores that differ, some negatives that are liked, filler in front."""
    generator, width = torch.Generator().manual_seed(seed), max(counts)
    batch = len(counts)
    real = torch.arange(width) >= width - torch.tensor(counts).unsqueeze(1)
    liked = torch.rand(batch, n_items, generator=generator) < (0.4 if mixed else 0.0)
    negatives = torch.randint(n_items, (batch, width, n), generator=generator)
    targets, drawn = (torch.randn(shape, generator=generator) for shape in ((batch, width), (batch, width, n)))
    return targets, drawn, negatives, liked, real


def _lost(reduce: Callable | None = None, forget: bool = False, bce: bool = False, alone: bool = False) -> Callable:
    """The loss with another mean, with liked negatives, or by another formula."""

    def loss(targets: Tensor, drawn: Tensor, negatives: Tensor, liked: Tensor, real: Tensor) -> Tensor:
        wrong = torch.stack([row[columns] for row, columns in zip(liked, negatives, strict=True)])
        drawn = drawn if forget else drawn.masked_fill(wrong, -torch.inf)
        every = torch.cat([targets.unsqueeze(2), drawn], dim=2)
        each = every.logsumexp(2) - targets
        if bce:
            each = F.softplus(-targets) + F.softplus(drawn).sum(2)
        if alone:
            each = drawn.logsumexp(2) - targets
        return each[real].mean() if reduce is None else reduce(each, real)

    return loss


SAMPLED_LOSS = Exercise(
    id="10.sampled_loss",
    level="medium",
    minutes=10,
    reference=sampled_loss,
    cases=(
        _loss_case(21, [2], 1, mixed=False),
        _loss_case(22, [2, 3], 2),
        _loss_case(23, [1, 4, 2], 3),
        _loss_case(24, [5, 3, 1, 2], 4),
    ),
    hidden=(_loss_case(25, [6, 1], 8), _loss_case(26, [2, 2, 2], 5)),
    hints=(
        "Look up whether each drawn item is liked: for one user that is `liked[u][negatives[u]]`, for all a gather "
        "along the items.",
        "Scores of liked negatives become minus infinity, `masked_fill(wrong, -torch.inf)`: exp makes 0 of them.",
        "Put the target beside its negatives with `torch.cat`; the loss of a place is `logsumexp` of all minus the "
        "target. Then `[real].mean()`.",
    ),
    mistakes=(
        (
            _lost(lambda each, real: each.mean()),
            "Padding counts in your mean: places of filler have scores too, without a meaning. Take `[real]` first.",
        ),
        (
            _lost(lambda each, real: (each * real).sum() / real.numel()),
            "You left filler out of the sum but divided by all places. Divide by the number of real ones.",
        ),
        (
            _lost(lambda each, real: ((each * real).sum(1) / real.sum(1)).mean()),
            "You took the mean for each user first, so that a place in a short history counts more. Take one mean over "
            "all real places.",
        ),
        (
            _lost(lambda each, real: each[real].sum()),
            "You added up the places. With a mean, the step does not grow with the batch.",
        ),
        (
            _lost(forget=True),
            "Positives are drawn as negatives: an item that the user likes is pushed down. Give it a score of minus "
            "infinity.",
        ),
        (
            lambda t, d, n, liked, r: _lost(forget=True)(t, d * ~_is_liked(n, liked), n, liked, r),
            "You set the score of liked negatives to 0, and e to the 0 is 1: they still count. Minus infinity makes "
            "them vanish.",
        ),
        (
            lambda t, d, n, liked, r: sampled_loss(t, d, n, ~liked, r),
            "You kept the liked items and dropped the real negatives: the mask is upside down.",
        ),
        (
            lambda t, d, n, liked, r: sampled_loss(t, d, n, liked.any(0).expand(liked.shape), r),
            "You left out what anybody in the batch likes. Look up each user's own row: another's favourite is a fair "
            "negative.",
        ),
        (
            lambda t, d, n, liked, r: sampled_loss(t, d, n, liked[:1].expand(liked.shape), r),
            "You looked up the first user's likes for everybody. Row b of `liked` belongs to row b of `negatives`.",
        ),
        (
            lambda t, d, n, liked, r: _lost(forget=True)(t, d, n, liked, r & ~_is_liked(n, liked).any(2)),
            "You dropped the whole place where a liked item was drawn. Drop that item alone; its place keeps the other "
            "negatives.",
        ),
        (_lost(bce=True), "That is binary cross-entropy: each score judged for itself. Here they compete: a softmax."),
        (_lost(alone=True), "The target is missing under the logarithm: it competes as well."),
        (
            lambda *case: -sampled_loss(*case),
            "Your sign is wrong: a loss falls when the target's score rises.",
        ),
    ),
)


def _is_liked(negatives: Tensor, liked: Tensor) -> Tensor:
    return torch.stack([row[columns] for row, columns in zip(liked, negatives, strict=True)])


def hide_items(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    """Which items are hidden: int64 and float `[batch, length]` to bool `[batch, length]`."""
    real = items != filler
    hidden = (draws < share) & real
    hidden[:, -1] |= ~hidden.any(dim=1)  # at least one: the newest
    everything = (hidden == real).all(dim=1, keepdim=True)
    oldest = real.cumsum(dim=1) == 1
    return hidden & ~(everything & oldest) & real


def _hide_case(seed: int, counts: list[int], share: float, filler: int = 9) -> tuple:
    generator, width = torch.Generator().manual_seed(seed), max(counts)
    items = torch.full((len(counts), width), filler)
    for row, count in enumerate(counts):
        items[row, width - count :] = torch.randint(filler, (count,), generator=generator)
    return items, torch.rand(len(counts), width, generator=generator), share, filler


def _plain(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    return (draws < share) & (items != filler)


def _never_none(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden = _plain(items, draws, share, filler)
    hidden[:, -1] |= ~hidden.any(dim=1)
    return hidden


def _never_all(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden, real = _plain(items, draws, share, filler), items != filler
    everything = (hidden == real).all(dim=1, keepdim=True)
    return hidden & ~(everything & (real.cumsum(dim=1) == 1))


def _first_column_shown(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden, real = _never_none(items, draws, share, filler), items != filler
    everything = (hidden == real).all(dim=1)
    hidden[:, 0] &= ~everything
    return hidden


def _newest_shown(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden, real = _never_none(items, draws, share, filler), items != filler
    hidden[:, -1] &= ~(hidden == real).all(dim=1)
    return hidden


def _oldest_hidden(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden, real = _plain(items, draws, share, filler), items != filler
    hidden |= ~hidden.any(dim=1, keepdim=True) & (real.cumsum(dim=1) == 1) & real
    return _never_all_of(hidden, real)


def _never_all_of(hidden: Tensor, real: Tensor) -> Tensor:
    everything = (hidden == real).all(dim=1, keepdim=True)
    return hidden & ~(everything & (real.cumsum(dim=1) == 1))


def _no_filler_known(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden = draws < share
    hidden[:, -1] |= ~hidden.any(dim=1)
    hidden[:, 0] &= ~hidden.all(dim=1)
    return hidden


def _none_by_luck(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden = draws < share
    hidden[:, -1] |= ~hidden.any(dim=1)
    return _never_all_of(hidden & (items != filler), items != filler)


def _oldest_never(items: Tensor, draws: Tensor, share: float, filler: int) -> Tensor:
    hidden = _plain(items, draws, share, filler) & ((items != filler).cumsum(dim=1) != 1)
    hidden[:, -1] |= ~hidden.any(dim=1)
    return hidden


HIDE_ITEMS = Exercise(
    id="10.hide_items",
    level="stretch",
    minutes=8,
    reference=hide_items,
    cases=(
        (_numbers(3, 5).unsqueeze(0), torch.tensor([[0.9, 0.8]]), 0.5, 9),
        (_numbers(3, 5).unsqueeze(0), torch.tensor([[0.1, 0.3]]), 0.5, 9),
        (_numbers(9, 3, 5).unsqueeze(0), torch.tensor([[0.1, 0.2, 0.3]]), 0.5, 9),
        _hide_case(31, [4, 2, 5], 0.2),
        _hide_case(32, [3, 6, 2, 4], 0.7),
    ),
    hidden=(_hide_case(33, [8, 3, 2, 7, 5], 0.05), _hide_case(34, [2, 2, 4, 3], 0.95)),
    hints=(
        "Start with `(draws < share) & (items != filler)`; then repair two kinds of rows.",
        "A row without a hidden item gets its newest: `hidden[:, -1] |= ~hidden.any(dim=1)`.",
        "A row that hides all shows its oldest again: the place where `real.cumsum(dim=1) == 1`, which is not column 0 "
        "if there is filler.",
    ),
    mistakes=(
        (_plain, "Rows may hide nothing, and then teach nothing, or hide all, with nothing left to guess from."),
        (_never_none, "A row may hide everything: nothing is left to guess from. Show its oldest item again."),
        (_never_all, "A row may hide nothing, and then it teaches nothing. Hide its newest item."),
        (
            lambda i, d, s, f: hide_items(i, 1 - d, 1 - s, f),
            "You hide where the draw is large: hidden is `draws < share`.",
        ),
        (
            lambda i, d, s, f: (d < s) | hide_items(i, d, s, f),
            "Filler is hidden in your answer: there is nothing to guess. Combine with `items != filler`.",
        ),
        (
            _first_column_shown,
            "A row with filler in front still hides all its items. Compare `hidden` with `real`, not with all columns, "
            "and show its oldest item, which is not in column 0.",
        ),
        (
            _no_filler_known,
            "You forgot filler: its places are hidden, and they count when you look for rows that hide nothing or all.",
        ),
        (
            _none_by_luck,
            "You counted filler as hidden when you looked for rows that hide nothing. Combine with "
            "`items != filler` first, then look.",
        ),
        (
            lambda i, d, s, f: _never_all_of(_plain(i, d, s, f) | (torch.arange(i.shape[1]) == i.shape[1] - 1), i != f),
            "You hide the newest item in every row. Only a row that hides nothing gets it.",
        ),
        (
            _oldest_never,
            "Your oldest item is never hidden. Show it again only in a row that would hide everything.",
        ),
        (_newest_shown, "You showed the newest item again. Show the oldest: the newest is what serving asks for."),
        (
            _oldest_hidden,
            "Where none was hidden you hid the oldest. Hide the newest: that is what serving asks.",
        ),
        (lambda i, d, s, f: ~hide_items(i, d, s, f), "Your mask is upside down: True means hidden."),
    ),
)


def candidate_scores(history: Tensor, candidates: Tensor, table: Tensor) -> Tensor:
    """Scores that no other candidate changes: int64 `[batch, length]` and `[batch, k]` to float `[batch, k]`."""
    real = history != len(table) - 1  # [batch, length]
    x = table[history]  # [batch, length, dim]
    query = x[:, -1:]  # [batch, 1, dim], the newest film
    user = query + F.scaled_dot_product_attention(query, x, x, real.unsqueeze(1))
    return (user @ table[candidates].mT).squeeze(1)


def _scored_case(seed: int, lengths: list[int], k: int, n_items: int = 9, dim: int = 4) -> tuple:
    history, table, _ = _read_case(seed, n_items, dim, lengths)
    generator = torch.Generator().manual_seed(seed + 100)
    candidates = torch.stack([torch.randperm(n_items, generator=generator)[:k] for _ in lengths])
    return history, candidates, table


def _company(history: Tensor, candidates: Tensor, table: Tensor) -> Tensor:
    x = table[candidates]
    mixed = x + F.scaled_dot_product_attention(x, x, x)
    return (candidate_user(history, table) @ mixed.mT).squeeze(1)


def _candidate_asks(history: Tensor, candidates: Tensor, table: Tensor) -> Tensor:
    real, x, query = (history != len(table) - 1).unsqueeze(1), table[history], table[candidates]
    return ((query + F.scaled_dot_product_attention(query, x, x, real)) * query).sum(2)


def _one_sequence(history: Tensor, candidates: Tensor, table: Tensor) -> Tensor:
    both = torch.cat([history, candidates], dim=1)
    query, x, real = table[history][:, -1:], table[both], (both != len(table) - 1).unsqueeze(1)
    return ((query + F.scaled_dot_product_attention(query, x, x, real)) @ table[candidates].mT).squeeze(1)


def candidate_user(
    history: Tensor, table: Tensor, masked: bool = True, place: int = -1, scale: float | None = None
) -> Tensor:
    """The user's vector, float `[batch, 1, dim]`; with or without looking at filler, from another place."""
    real = (history != len(table) - 1).unsqueeze(1)
    x = table[history]
    query = x[:, place].unsqueeze(1)
    return query + F.scaled_dot_product_attention(query, x, x, real if masked else None, scale=scale)


def _scored_by(user: Callable[[Tensor, Tensor], Tensor]) -> Callable:
    def scores(history: Tensor, candidates: Tensor, table: Tensor) -> Tensor:
        return (user(history, table) @ table[candidates].mT).squeeze(1)

    return scores


def _mean_user(history: Tensor, table: Tensor) -> Tensor:
    real = (history != len(table) - 1).unsqueeze(2)
    return (table[history] * real).sum(1, keepdim=True) / real.sum(1, keepdim=True)


CANDIDATE_SCORES = Exercise(
    id="10.candidate_scores",
    level="stretch",
    minutes=10,
    reference=candidate_scores,
    tolerance=1e-4,
    cases=(_scored_case(41, [2], 2), _scored_case(42, [3, 1], 3), _scored_case(43, [4, 2, 5], 2)),
    hidden=(_scored_case(44, [6, 1, 3], 5), _scored_case(45, [1], 1)),
    hints=(
        "The history is the sequence. Its newest film asks: `query = table[history][:, -1:]`, `[batch, 1, dim]`.",
        "The user is the query plus what it reads, `F.scaled_dot_product_attention(query, x, x, mask)`, where filler "
        "is hidden: `real.unsqueeze(1)`.",
        "A candidate meets the user in an inner product alone: `user @ table[candidates].mT`, then remove the axis of "
        "size 1.",
    ),
    mistakes=(
        (
            _company,
            "Candidates look at each other in your answer: a film's score changes with its company. Compare each with "
            "the user alone.",
        ),
        (
            _scored_by(lambda history, table: candidate_user(history, table, masked=False)),
            "Filler is read as if it were a film: hide it with a mask.",
        ),
        (
            _scored_by(lambda history, table: candidate_user(history, table, place=0)),
            "The first column asks in your answer, and it may be filler. The newest film stands last.",
        ),
        (
            _candidate_asks,
            "Your candidates ask the history, so that each meets another user. A ranker does so (DIN, lesson 11); here "
            "the newest film asks, once.",
        ),
        (
            _one_sequence,
            "Your candidates stand in the sequence that is read: the user changes with them. Keys and values are the "
            "history alone.",
        ),
        (
            _scored_by(lambda history, table: candidate_user(history, table, scale=1.0)),
            "Your attention is not scaled: divide the inner products by the square root of dim before the softmax.",
        ),
        (
            _scored_by(_mean_user),
            "You took the mean of the history. Let its newest film look at all, then add that film.",
        ),
        (
            _scored_by(lambda history, table: table[history][:, -1:]),
            "You used the newest film alone. Add what it reads in the history.",
        ),
        (
            _scored_by(lambda history, table: candidate_user(history, table) - table[history][:, -1:]),
            "You left out the newest film itself: query plus what it reads.",
        ),
        (
            lambda history, candidates, table: candidate_scores(history, candidates, table).softmax(1),
            "A softmax over the candidates makes each score depend on the others again. Return the inner products.",
        ),
    ),
)

review = Review(
    id="10.review",
    faults={
        "data.histories(log": "the log is all ratings, the held-out ones included: the model learns the answers it is "
        "judged on. Split first, and train on `split.train` alone.",
        "reader(table(read))": "filler stands in front of short histories and is read as if it were a film, so that "
        "the same films give another state (in Keras: `mask_zero` is missing).",
        "torch.ones(len(logits))": "every label is 1. Without negatives, yes to everything has a loss of 0. Draw films "
        "that the user does not like, or let all films compete.",
        "(logits > 0).float()": "accuracy on positives alone is 1 for whoever always says yes; with one positive in a "
        "thousand it is .999 for whoever always says no. Rank all films, and take NDCG.",
    },
    fine={
        "log.n_items + 1": "One row more than there are films: the filler's.",
        "window[:, -1]": "All but the last column are read, the last is the target: it is not in its own input.",
        "states[:, -1]": "Filler stands in front, so the last place is everybody's newest film.",
    },
)

check, hint, solution = bind((MAKE_SEQUENCE, CAUSAL_SCORES, SAMPLED_LOSS, HIDE_ITEMS, CANDIDATE_SCORES))
