"""Exercises of lesson 15: an answer's parser, orders that cancel position bias, semantic ids and preferences."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course import losses, semantic  # noqa: F401  (the lesson takes them from here)
from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def parse_ranking(answer: str, titles: list[str]) -> list[int]:
    """Read a ranking of all candidates out of free text: numbers of the titles, best first."""
    order = []
    for line in answer.lower().splitlines():
        named = [number for number, title in enumerate(titles) if title.lower() in line]
        best = max(named, key=lambda number: len(titles[number]), default=None)
        if best is not None and best not in order:
            order.append(best)
    return order + [number for number in range(len(titles)) if number not in order]


def _read(
    answer: str,
    titles: list[str],
    *,
    fold: Callable = str.lower,
    choose: Callable = lambda named, titles: max(named, key=lambda n: len(titles[n])),
) -> list[int | None]:
    """The candidate that each line names, None where it names none."""
    found = []
    for line in answer.splitlines():
        named = [n for n, title in enumerate(titles) if fold(title) in fold(line)]
        found.append(choose(named, titles) if named else None)
    return found


def _distinct(numbers: list) -> list:
    return list(dict.fromkeys(n for n in numbers if n is not None))


def _filled(numbers: list, titles: list[str]) -> list[int]:
    order = _distinct(numbers)
    return order + [n for n in range(len(titles)) if n not in order]


def _next_best(answer: str, titles: list[str]) -> list[int]:
    """A line whose film is taken names the next shorter title."""
    order = []
    for line in answer.lower().splitlines():
        named = [n for n, title in enumerate(titles) if title.lower() in line and n not in order]
        order += [max(named, key=lambda n: len(titles[n]))] if named else []
    return _filled(order, titles)


def _whole_lines(answer: str, titles: list[str]) -> list[int]:
    lines = [line.strip().lower() for line in answer.splitlines()]
    return _filled([n for line in lines for n, title in enumerate(titles) if title.lower() == line], titles)


def _all_in_line(answer: str, titles: list[str]) -> list[int]:
    lines = answer.lower().splitlines()
    return _filled([n for line in lines for n, title in enumerate(titles) if title.lower() in line], titles)


def _by_printed_number(answer: str, titles: list[str]) -> list[int]:
    def number(line: str) -> int:
        digits = line.strip().split(".")[0]
        return int(digits) if digits.isdigit() else 99

    return parse_ranking("\n".join(sorted(answer.splitlines(), key=number)), titles)


def _number_as_candidate(answer: str, titles: list[str]) -> list[int]:
    printed = [line.strip().split(".")[0] for line in answer.splitlines()]
    return _filled([int(n) - 1 for n in printed if n.isdigit() and 0 < int(n) <= len(titles)], titles)


def _last_mention(answer: str, titles: list[str]) -> list[int]:
    found = _distinct(_read(answer, titles)[::-1])[::-1]
    return _filled(found, titles)


def _earliest(named: list[int], line: str, titles: list[str]) -> int:
    return min(named, key=lambda n: (line.find(titles[n].lower()), -len(titles[n])))


def _first_in_line(answer: str, titles: list[str], begins: bool = False) -> list[int]:
    """A line's first title counts; with ``begins`` only one that the line begins with."""
    found = []
    for line in (line.lower().lstrip(" -*0123456789.)") for line in answer.splitlines()):
        named = [n for n, title in enumerate(titles) if title.lower() in line]
        named = [n for n in named if not begins or line.startswith(titles[n].lower())]
        found += [_earliest(named, line, titles)] if named else []
    return _filled(found, titles)


def _bare_lines(answer: str, titles: list[str]) -> list[int]:
    lines = [line.lower().strip(" -*0123456789.)") for line in answer.splitlines()]
    return _filled([n for line in lines for n, title in enumerate(titles) if title.lower() == line], titles)


def _anywhere(answer: str, titles: list[str]) -> list[int]:
    places = {n: answer.lower().find(title.lower()) for n, title in enumerate(titles)}
    return _filled(sorted((n for n in places if places[n] >= 0), key=places.get), titles)


SPACE = ["Alien", "Star Wars", "Aliens"]
CLEAN = "1. Star Wars\n2. Aliens\n3. Alien", SPACE
LOUD = "My ranking:\n1. ALIENS\n2. star wars\n3. Alien", SPACE
INVENTED = "1. Galaxy Doctor\n2. Star Wars", SPACE
REPEATED = "1. Aliens\n2. Aliens\n3. Star Wars\n4. Aliens", SPACE
RENUMBERED = "3. Star Wars\n1. Alien\n2. Aliens", SPACE
SILENT = "I cannot see films.", ["Heat", "Fargo"]
ASIDE = "1. Fargo, after Heat the best one\n2. Speed", ["Speed", "Heat", "Fargo"]
BEHIND = "After Heat: Fargo\nSpeed", ["Heat", "Speed", "Fargo"]
LONG_FIRST = "1. Aliens\n2. Heat", ["Speed", "Aliens", "Alien", "Heat"]
PARSE_RANKING = Exercise(
    id="15.parse_ranking",
    level="medium",
    minutes=10,
    reference=parse_ranking,
    cases=(CLEAN, LOUD, INVENTED, REPEATED, RENUMBERED, SILENT, ASIDE, BEHIND, LONG_FIRST),
    hidden=(("", SPACE), ("fargo\nFARGO\nheat\nSomething Else\n", ["Speed", "Heat", "Fargo", "Big"])),
    hints=(
        "Take the answer line by line. For each, collect the candidates whose title stands in it, in small letters.",
        "`max(named, key=lambda n: len(titles[n]), default=None)` takes the longest title: Aliens, not Alien.",
        "Append a candidate when it is named first. At the end add, in their order, all that are not in the list yet.",
    ),
    mistakes=(
        (
            lambda a, t: _distinct(_read(a, t)),
            "Candidates that the model forgot are lost. Append them at the end: a re-ranker returns all it was given.",
        ),
        (
            lambda a, t: [n for n in _read(a, t) if n is not None] + [n for n in range(len(t)) if n not in _read(a, t)],
            "A film that was named twice is in your list twice. Only the first mention counts.",
        ),
        (
            lambda a, t: _filled(_read(a, t, fold=str), t),
            "Case is a matter of style to a model: compare title and line both in small letters.",
        ),
        (
            lambda a, t: _filled(_read(a, t, choose=lambda named, _: named[0]), t),
            "You took the first title that stands in the line. Alien stands in Aliens: take the longest.",
        ),
        (
            lambda a, t: _filled(_read(a, t, choose=lambda named, titles: min(named, key=lambda n: len(titles[n]))), t),
            "You took the shortest title of a line: Alien stands in every line about Aliens. Take the longest.",
        ),
        (
            _anywhere,
            "You search the whole answer for each title: Aliens brings Alien along. Go line by line, one film each.",
        ),
        (
            _first_in_line,
            "Of several titles in a line you take the one that comes first. The longest counts, wherever it stands.",
        ),
        (
            lambda a, t: _first_in_line(a, t, begins=True),
            "You ask whether the line begins with a title. It may stand anywhere in the line.",
        ),
        (
            lambda a, t: _filled(_read(a, t, choose=lambda named, _: named[-1]), t),
            "Of several titles in a line the last candidate overwrites the others. Take the longest.",
        ),
        (
            lambda a, t: _filled(_read(a.lower(), t, fold=str), t),
            "You put the answer into small letters, but not the titles. Compare both in small letters.",
        ),
        (
            _bare_lines,
            "Without its number a line is not yet a title: remarks follow. Ask whether the title stands in the line.",
        ),
        (
            _whole_lines,
            "You compare whole lines, and the model writes numbers and remarks into them. Ask whether the title stands "
            "in the line.",
        ),
        (
            _all_in_line,
            "One line, one film: you count every title that stands in it, Alien in the line about Aliens as well.",
        ),
        (
            _next_best,
            "A line about a film that is in the list already became the shorter title inside it. Find the longest "
            "first, then see whether it is new.",
        ),
        (
            _by_printed_number,
            "You sort by the number in front. Models misnumber: what counts is the order in which lines come.",
        ),
        (
            _number_as_candidate,
            "You read the number in front as the candidate. It is the place in the model's own list: look for titles.",
        ),
        (
            _last_mention,
            "You let the last mention count. A film's first mention is its place.",
        ),
        (
            lambda a, t: [n for n in range(len(t)) if n not in _read(a, t)] + _distinct(_read(a, t)),
            "What the model forgot comes first in your list. It belongs at the end.",
        ),
        (
            lambda a, t: _filled(_read(a, t), t)[: max(len(_distinct(_read(a, t))), 1)],
            "Your list is as long as the model's. It has one place for every candidate.",
        ),
        (
            lambda a, t: [-1 if n is None else n for n in _read(a, t)],
            "An invented title has a place in your list. A line that names no candidate is passed over.",
        ),
        (
            lambda a, t: [t[n] for n in parse_ranking(a, t)],
            "You return titles. Asked for are the candidates' numbers, which cannot be misspelt.",
        ),
    ),
)


def debias(scores: Tensor, orders: Tensor) -> Tensor:
    """Mean score of each candidate over the orders: float `[n_orders, n_slots]`, int64 alike, to `[n_candidates]`."""
    return scores.gather(1, orders.argsort(dim=1)).mean(dim=0)


def _by_candidate(scores: Tensor, orders: Tensor) -> Tensor:
    return scores.gather(1, orders.argsort(dim=1))


def _wins(scores: Tensor, orders: Tensor) -> Tensor:
    best = _by_candidate(scores, orders).argmax(dim=1)
    return torch.bincount(best, minlength=scores.shape[1]).float() / len(scores)


THREE_TURNS = (
    torch.tensor([[5.0, 1.0, 0.0], [6.0, 0.0, 1.0], [4.0, 2.0, 0.0]]),
    torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]]),
)
TWO_ORDERS = torch.tensor([[3.0, 1.0, 2.0, 0.0], [8.0, 4.0, 0.0, 2.0]]), torch.tensor([[0, 1, 2, 3], [2, 0, 3, 1]])
ONE_ORDER = torch.tensor([[0.5, -1.5, 2.5]]), torch.tensor([[1, 2, 0]])


def _drawn_orders(seed: int, n_orders: int, n: int) -> tuple:
    generator = _generator(seed)
    orders = torch.stack([torch.randperm(n, generator=generator) for _ in range(n_orders)])
    return torch.randn(n_orders, n, generator=generator).log_softmax(dim=1), orders


DEBIAS = Exercise(
    id="15.debias",
    level="medium",
    minutes=8,
    reference=debias,
    cases=(ONE_ORDER, THREE_TURNS, TWO_ORDERS, _drawn_orders(15, 7, 5)),
    hidden=(_drawn_orders(16, 4, 6), _drawn_orders(17, 9, 2)),
    hints=(
        "Each row of scores is in the order of the slots. Bring each row into the order of the candidates first.",
        "`orders.argsort(dim=1)` says in which slot each candidate stands: the inverse of a permutation.",
        "`scores.gather(1, slots)` picks these scores row by row; then the mean over the rows, `dim=0`.",
    ),
    mistakes=(
        (
            lambda s, o: s.mean(dim=0),
            "That is the mean of each slot: the bias itself. Follow the candidates through the orders.",
        ),
        (
            lambda s, o: s.gather(1, o).mean(dim=0),
            "You went the wrong way: orders[r, slot] is a candidate, and you need each candidate's slot, its inverse.",
        ),
        (
            lambda s, o: _by_candidate(s, o)[0],
            "You used the first order alone, with all its bias. Take the mean over all orders.",
        ),
        (
            lambda s, o: _by_candidate(s, o)[-1],
            "The last order alone is left: perhaps each one overwrote the one before. Take the mean over all of them.",
        ),
        (
            lambda s, o: _by_candidate(s, o).sum(dim=0),
            "You added up. The mean does not grow with the number of orders.",
        ),
        (
            lambda s, o: _by_candidate(s, o).mean(dim=1),
            "You averaged over the candidates. Average over the orders, `dim=0`: one number a candidate is left.",
        ),
        (
            lambda s, o: _by_candidate(s, o).max(dim=0).values,
            "You took each candidate's best order, which is the one that put it into the best slot. Take the mean.",
        ),
        (
            lambda s, o: _by_candidate(s, o).sort(dim=0).values[(len(s) - 1) // 2],
            "You took the median. Only the mean takes off exactly what was added.",
        ),
        (
            lambda s, o: _by_candidate(s.exp(), o).mean(dim=0),
            "You averaged chances. Asked for is the mean of the scores as they are: there the slot's bonus adds up.",
        ),
        (
            lambda s, o: _by_candidate(s.argsort(dim=1).argsort(dim=1).float(), o).mean(dim=0),
            "You averaged ranks. They throw away how close it was: average the scores.",
        ),
        (
            lambda s, o: _by_candidate(s.argsort(dim=1, descending=True).argsort(dim=1).float(), o).mean(dim=0),
            "You averaged places. They throw away how close it was: average the scores.",
        ),
        (
            lambda s, o: _by_candidate(s, o)[-1] / len(s),
            "`out[orders] += scores` keeps one order of each candidate and forgets the rest: loop, or use `gather`.",
        ),
        (
            _wins,
            "You counted how often each candidate came first. That throws away how close it was: average the scores.",
        ),
        (
            lambda s, o: _by_candidate(s - s.mean(dim=0), o).mean(dim=0),
            "You took the slots' means off as well. Where every candidate stands in every slot that is not needed, and "
            "elsewhere it takes off worth too.",
        ),
        (
            lambda s, o: _by_candidate(s, o).sum(dim=0) / s.shape[1],
            "You divided by the number of slots. Divide by the number of orders.",
        ),
        (
            lambda s, o: _by_candidate(s, o).mean(dim=0).argsort(descending=True),
            "You return a ranking. Asked for is the mean score of each candidate.",
        ),
    ),
)


def _normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- residual_codes


def _coded(choose: Callable, keep: Callable = lambda left, book, best, first: left - book[best]) -> Callable:
    """Residual coding with another choice of the centroid, or something else left over."""

    def answer(vectors: Tensor, codebooks: Tensor) -> Tensor:
        left, codes = vectors, []
        for book in codebooks:
            best = choose(left, book)
            codes.append(best)
            left = keep(left, book, best, vectors)
        return torch.stack(codes, dim=1)

    return answer


def _nearest(left: Tensor, book: Tensor) -> Tensor:
    return torch.cdist(left, book).argmin(dim=1)


def _books(seed: int, n: int, n_levels: int, n_codes: int, dim: int) -> tuple[Tensor, Tensor]:
    sizes = torch.arange(n_levels, 0, -1)[:, None, None]
    return n_levels * _normal(seed, n, dim), sizes * _normal(seed + 1, n_levels, n_codes, dim)


BY_HAND = torch.tensor([[7.0], [3.0], [12.0]]), torch.tensor([[[0.0], [10.0]], [[-2.0], [6.0]]])
THREE_LEVELS = (
    torch.tensor([[9.0, 1.0]]),
    torch.tensor([[[8.0, 0.0], [0.0, 8.0]], [[0.0, -1.0], [1.0, 2.0]], [[0, -1.0], [2.0, 0.0]]]),
)
BY_DISTANCE = torch.tensor([[0.0, 0.0]]), torch.tensor([[[5.0, 0.0], [3.0, 3.0]]])  # 5 and 4.2; added up 5 and 6
TWO_ALIKE = torch.tensor([[1.0], [3.0]]), torch.tensor([[[2.0], [0.0]], [[-1.0], [-1.0]]])
RESIDUAL_CODES = Exercise(
    id="15.residual_codes",
    level="medium",
    minutes=8,
    reference=semantic.residual_codes,
    cases=(BY_HAND, THREE_LEVELS, BY_DISTANCE, _books(21, 6, 2, 4, 3), TWO_ALIKE),
    hidden=(_books(23, 40, 3, 8, 5), _books(25, 1, 1, 3, 2)),
    hints=(
        "Begin with residuals = vectors. Each level looks for the nearest centroid of its own book.",
        "`torch.cdist(residuals, book)` is `[n, n_codes]`; `argmin(dim=1)` names the nearest, the first of equals.",
        "Before the next level: `residuals = residuals - book[nearest]`. Stack the codes with `dim=1`.",
    ),
    mistakes=(
        (
            _coded(_nearest, lambda left, book, best, first: left),
            "Every level codes the vector itself. After each level subtract its centroid: the next one codes the rest.",
        ),
        (
            _coded(_nearest, lambda left, book, best, first: first - book[best]),
            "You subtract from the original vector each time. From level 3 on, what level 1 explained is back: "
            "subtract from the residual.",
        ),
        (
            _coded(_nearest, lambda left, book, best, first: left + book[best]),
            "You add the centroid. What is left over is the residual *minus* it.",
        ),
        (
            _coded(_nearest, lambda left, book, best, first: book[best] - left),
            "Your residual has the wrong sign: vector minus centroid, not the other way round.",
        ),
        (
            _coded(_nearest, lambda left, book, best, first: book[best]),
            "The next level codes the centroid. It must code what the centroid does not explain: residual minus it.",
        ),
        (
            _coded(lambda left, book: (left @ book.T).argmax(dim=1)),
            "You take the largest inner product: long centroids win. Nearest means the smallest distance.",
        ),
        (
            _coded(lambda left, book: F.cosine_similarity(left[:, None], book[None], dim=2).argmax(dim=1)),
            "You compare directions. A residual has a length as well: take the smallest distance.",
        ),
        (
            _coded(lambda left, book: torch.cdist(left, book, p=1).argmin(dim=1)),
            "You add up absolute differences. The distance meant is the Euclidean one: the root of the sum of squares.",
        ),
        (
            lambda v, b: semantic.residual_codes(v, b[:1].expand_as(b)),
            "Every level looks into the first book. Level l has a book of its own: codebooks[l].",
        ),
        (
            _coded(lambda left, book: torch.cdist(F.normalize(left, dim=1), book).argmin(dim=1)),
            "You give the residual length 1. Its length counts: take the distance of the residual as it is.",
        ),
        (
            _coded(lambda left, book: torch.cdist(left, book).argmax(dim=1)),
            "You name the *farthest* centroid: argmin, not argmax.",
        ),
        (
            lambda v, b: semantic.residual_codes(v, b).T,
            "Your table has a row for each level. Asked for is `[n, n_levels]`: stack with `dim=1`.",
        ),
        (
            lambda v, b: semantic.residual_codes(v, b) + 1,
            "Your codes count from 1. They are rows of the book and count from 0.",
        ),
        (
            lambda v, b: semantic.residual_codes(v, b).flip(1),
            "Your levels stand in the wrong order: the coarse code, of the first book, comes first.",
        ),
    ),
)


# --- trie_constrained_decode


def trie_constrained_decode(codes: Tensor, first: Tensor, second: Tensor, allowed: Tensor, width: int) -> Tensor:
    """Films that a beam search finds: int64 `[n_items, 2]`, two tables of logits, bool `[n_items]` to int64 `[n]`."""
    exists = torch.zeros_like(second, dtype=torch.bool)
    exists[codes[:, 0], codes[:, 1]] = True  # [n_codes, n_codes]
    one = first.masked_fill(~exists.any(dim=1), -torch.inf).log_softmax(0)
    two = second.masked_fill(~exists, -torch.inf).log_softmax(1)
    begins = codes[allowed, 0].unique()
    kept = begins[one[begins].argsort(descending=True, stable=True)[:width]]
    items = (allowed & torch.isin(codes[:, 0], kept)).nonzero().flatten()
    logs = one[codes[items, 0]] + two[codes[items, 0], codes[items, 1]]
    return items[logs.argsort(descending=True, stable=True)[:width]]


def _decoder(
    softmax_over: str = "some",
    begins_of: str = "allowed",
    score: Callable = lambda one, two: one + two,
    width_of: Callable = lambda width: (width, width),
    final: str = "allowed",
    softmax: Callable = lambda logits: logits.log_softmax(-1),
) -> Callable:
    """The same search with one of its parts replaced."""

    def answer(codes: Tensor, first: Tensor, second: Tensor, allowed: Tensor, width: int) -> Tensor:
        exists, everyone = torch.zeros_like(second, dtype=torch.bool), torch.ones_like(allowed)
        among = {"some": everyone, "allowed": allowed, "all": None}[softmax_over]
        if among is None:
            exists[:] = True
        else:
            exists[codes[among, 0], codes[among, 1]] = True
        one = softmax(first.masked_fill(~exists.any(dim=1), -torch.inf))
        two = softmax(second.masked_fill(~exists, -torch.inf))
        begins = codes[allowed if begins_of == "allowed" else everyone, 0].unique()
        beams, length = width_of(width)
        kept = begins[one[begins].argsort(descending=True, stable=True)[:beams]]
        items = ((allowed if final == "allowed" else everyone) & torch.isin(codes[:, 0], kept)).nonzero().flatten()
        logs = score(one[codes[items, 0]], two[codes[items, 0], codes[items, 1]])
        found = items[logs.argsort(descending=True, stable=True)[:length]]
        return found[allowed[found]] if final == "after" else found

    return answer


def _catalogue(seed: int, n_codes: int, n_items: int, share: float, width: int) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randperm(n_codes * n_codes, generator=generator)[:n_items]
    allowed = torch.rand(n_items, generator=generator) < share
    codes = torch.stack([cells // n_codes, cells % n_codes], dim=1)
    return codes, 2 * _normal(seed + 1, n_codes), 2 * _normal(seed + 2, n_codes, n_codes), allowed, width


FIVE = torch.tensor([[0, 0], [0, 2], [1, 0], [1, 1], [2, 1]])
EVEN = torch.zeros(3, 3)
# code 0 looks best (.4 against .3 and .3) but is shared by two films: the best film is 4
WIDE = FIVE, torch.tensor([0.4, 0.3, 0.3]).log(), EVEN, torch.ones(5, dtype=torch.bool), 3
NARROW = (*WIDE[:4], 1)
SEEN = FIVE, torch.tensor([3.0, 0.0, 1.0]), EVEN, torch.tensor([False, False, True, True, False]), 2
GHOST = (
    FIVE[:4],
    torch.tensor([0.0, 1.0, 9.0]),
    torch.tensor([[0.0, 9.0, 1.0], [2.0, 1.0, 9.0], EVEN[0].tolist()]),
    torch.ones(4, dtype=torch.bool),
    4,
)
# large logits below code 0, but equal ones: each film has half of it; film 2 has .73 of code 1
LEVEL = (
    torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]),
    torch.zeros(2),
    torch.tensor([[5.0, 5.0], [1.0, 0.0]]),
    torch.ones(4, dtype=torch.bool),
    4,
)
UNEVEN = (
    torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]]),
    torch.tensor([0.6, 0.25, 0.15]).log(),
    torch.tensor([[0.1, 0.9], [0.35, 0.65], [1.0, 0.0]]).clamp(min=1e-3).log(),
    torch.ones(5, dtype=torch.bool),
    5,
)
TRIE_CONSTRAINED_DECODE = Exercise(
    id="15.trie_constrained_decode",
    level="stretch",
    minutes=10,
    reference=trie_constrained_decode,
    cases=(WIDE, NARROW, SEEN, GHOST, LEVEL, UNEVEN, _catalogue(31, 5, 14, 0.6, 3), _catalogue(34, 5, 14, 0.3, 2)),
    hidden=(_catalogue(37, 6, 20, 0.5, 4), _catalogue(40, 4, 9, 0.5, 20)),
    hints=(
        "Mark which pairs of codes exist. A softmax over what exists: fill the rest with minus infinity first.",
        "Keep the `width` best first codes of *allowed* films, then look at the allowed films below them.",
        "Add the two logarithms of each film; `argsort(descending=True, stable=True)` keeps equal ones in order.",
    ),
    mistakes=(
        (
            _decoder(softmax_over="all"),
            "Your softmax gives probability to codes that no film has. Mask them before it, at both levels.",
        ),
        (
            _decoder(softmax_over="allowed"),
            "Your softmax leaves out seen films as well. It runs over what exists; `allowed` only says what is kept.",
        ),
        (
            _decoder(begins_of="all"),
            "Your beam keeps beginnings that lead to forbidden films alone, and the list comes out short.",
        ),
        (_decoder(final="all"), "A film that is not allowed stands in your list."),
        (
            _decoder(begins_of="all", final="after"),
            "You search first and drop forbidden films afterwards: the list comes out short. Forbid them in the tree.",
        ),
        (
            _decoder(width_of=lambda width: (1, width)),
            "You follow the best first code alone. That is greedy: keep `width` of them.",
        ),
        (
            _decoder(width_of=lambda width: (10**6, width)),
            "You score every film. That finds more than a beam does, and costs a catalogue: keep `width` beginnings.",
        ),
        (
            _decoder(width_of=lambda width: (width, 10**6)),
            "Your list is longer than `width`.",
        ),
        (
            _decoder(softmax=lambda logits: logits.log_softmax(0)),
            "Your softmax of code 2 runs over code 1. Each row of `second` is a distribution: `dim=1`.",
        ),
        (
            _decoder(softmax=lambda logits: logits),
            "You add raw logits. Below different beginnings only probabilities compare: take a softmax at each level.",
        ),
        (
            _decoder(score=lambda one, two: two),
            "You order by the second code alone. A film's probability is the product of both: add the logarithms.",
        ),
        (
            _decoder(score=lambda one, two: one),
            "You order by the first code alone: films below one beginning are told apart by the second.",
        ),
        (
            _decoder(score=lambda one, two: one * two),
            "You multiply logarithms. Probabilities multiply, so their logarithms add.",
        ),
        (
            _decoder(score=lambda one, two: -one - two),
            "Your list begins with the least likely film.",
        ),
        (
            lambda *case: trie_constrained_decode(*case).sort().values,
            "Your films are ordered by their numbers. The most likely comes first.",
        ),
    ),
)


# --- dpo_loss


def dpo_loss(chosen: Tensor, rejected: Tensor, chosen_before: Tensor, rejected_before: Tensor, beta: float) -> Tensor:
    """Mean loss over pairs: four float `[n]` and a number to one number."""
    margin = (chosen - chosen_before) - (rejected - rejected_before)
    return -F.logsigmoid(beta * margin).mean()


def _of(formula: Callable[[Tensor, Tensor, float], Tensor]) -> Callable:
    """A loss of what was gained by the preferred one and by the other."""
    return lambda c, r, c0, r0, beta: formula(c - c0, r - r0, beta)


def _pairs(seed: int, n: int, beta: float) -> tuple:
    return *(-_normal(seed + place, n).abs() for place in range(4)), beta


HALF = torch.tensor([0.5]).log()
DOUBLED = (
    torch.tensor([0.4]).log(),
    torch.tensor([0.1]).log(),
    torch.tensor([0.2]).log(),
    torch.tensor([0.2]).log(),
    1.0,
)
UNCHANGED = HALF, HALF - 1, HALF, HALF - 1, 0.3
BOTH_FALL = (
    torch.tensor([-3.0, -1.0]),
    torch.tensor([-6.0, -2.0]),
    torch.tensor([-1.0, -1.0]),
    torch.tensor([-1.0, -1.0]),
    0.5,
)
FAR = torch.tensor([-500.0]), torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([-400.0]), 2.0
DPO_LOSS = Exercise(
    id="15.dpo_loss",
    level="stretch",
    minutes=6,
    reference=dpo_loss,
    cases=(DOUBLED, UNCHANGED, BOTH_FALL, _pairs(51, 6, 0.1), FAR),
    hidden=(_pairs(55, 20, 2.0), _pairs(59, 3, 0.5)),
    hints=(
        "How much likelier has each answer become? A ratio of probabilities is a difference of logarithms.",
        "margin = (gain of the chosen) - (gain of the rejected); beta multiplies the margin, inside the sigmoid.",
        "`-F.logsigmoid(beta * margin).mean()`: `log(sigmoid(x))` of a large negative x would be minus infinity.",
    ),
    mistakes=(
        (
            lambda c, r, c0, r0, beta: -F.logsigmoid(beta * (c - r)).mean(),
            "The reference is missing: what counts is how much *more* likely than before, not how likely.",
        ),
        (
            lambda c, r, c0, r0, beta: -F.logsigmoid(beta * (c - c0 - r)).mean(),
            "You compare the chosen answer alone with the reference. The rejected one has a reference as well.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid(beta * (down - up)).mean()),
            "Your loss prefers what was rejected: the chosen answer's gain comes first.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid(beta * (up + down)).mean()),
            "You reward both answers. The rejected one's gain is subtracted.",
        ),
        (
            _of(lambda up, down, beta: -beta * F.logsigmoid(up - down).mean()),
            "Beta stands outside the sigmoid, where it is a learning rate. It multiplies the margin, inside.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid((up - down) / beta).mean()),
            "You divide by beta. It multiplies: the reward that DPO reads off is beta times the log ratio.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid(beta * up - down).mean()),
            "Beta multiplies the chosen answer's gain alone. It multiplies both: beta * (gain - gain).",
        ),
        (
            lambda c, r, c0, r0, beta: -F.logsigmoid(beta * ((c - r0) - (r - c0))).mean(),
            "You changed the references over: each answer is compared with itself under the reference.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid(up - down).mean()),
            "You did not use beta.",
        ),
        (
            _of(lambda up, down, beta: -F.logsigmoid(beta * (up - down)).sum()),
            "You add the pairs up. Take their mean, or the step grows with the batch.",
        ),
        (
            _of(lambda up, down, beta: F.logsigmoid(beta * (up - down)).mean()),
            "The sign is missing: the loss is *minus* the mean logarithm, and is never below 0.",
        ),
        (
            _of(lambda up, down, beta: -(beta * (up - down)).mean()),
            "Without the logarithm of the sigmoid the loss has no lower bound: one pair can outweigh all others.",
        ),
        (
            _of(lambda up, down, beta: -torch.sigmoid(beta * (up - down)).mean()),
            "The logarithm is missing: without it a pair that is badly wrong hardly teaches.",
        ),
        (
            lambda c, r, c0, r0, beta: -F.logsigmoid(beta * ((c.exp() - c0.exp()) - (r.exp() - r0.exp()))).mean(),
            "You turned the logarithms into probabilities. A ratio of probabilities is a difference of logarithms.",
        ),
        (
            _of(lambda up, down, beta: -torch.log(torch.sigmoid(beta * (up - down))).mean()),
            "Far off, your sigmoid is 0 and its logarithm minus infinity: use `F.logsigmoid`.",
        ),
    ),
)

review = Review(
    id="15.review",
    faults={
        "Large models resist": "two claims without a measurement. Attack it, and look at how popular its picks are.",
        "films = ": "one order, so the film in the first place wins; and who writes a title writes into the prompt.",
        "ranking = ": "every line passes for a film, invented and repeated ones too. Look for the candidates in it.",
        "return ranking": "what was not named is lost, and the list may be short. A re-ranker returns a permutation.",
    },
    fine={
        "lm.chat": "The model was tuned on requests in this form; beginning the list for it is fair as well.",
        "wish = ": "Plain words do. What is pasted into them is the trouble.",
    },
)

check, hint, solution = bind((PARSE_RANKING, DEBIAS, RESIDUAL_CODES, TRIE_CONSTRAINED_DECODE, DPO_LOSS))
