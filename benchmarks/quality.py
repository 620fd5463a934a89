"""Claim: on MovieLens 100K the course's models recommend as well as RecBole's and implicit's of the same name.

The course's split ``last``: the last five ratings of each user are held out, those of 4 or more are right answers.
Every model learns from the same likes (ratings of 4 or more, in order of time); what a user rated before is left out
of each list, whatever the stars. Both sides try equally many settings, on a part cut from the training ratings in the
same way; networks train until the NDCG@10 of that part no longer rises. The best setting is fitted again on all
training likes, and its lists of ten are judged by the course's metrics. Bar: NDCG@10 not below the peer's interval.

    python benchmarks/quality.py [--only SASRec BPR] [--keep]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import harness
import numpy as np

HOME = harness.BUILD / "bench-quality"
N_USERS, N_ITEMS, K = 943, 1682, 10
LENGTH = 20  # likes that a sequence model reads; more would make RecBole's take hours
DROPOUTS = (0.2, 0.5)  # of the sequence models, on both sides; all else as each tool has it
PATIENCE = {"ours": 30, "recbole": 2}  # checks without a rise; an epoch of RecBole's has 28 to 56 times the steps
LIMIT = {"SASRec": 8, "GRU4Rec": 10, "BERT4Rec": 12, "LightGCN": 100, "BPR": 200}  # epochs of RecBole's
EVERY = {"LightGCN": 5, "BPR": 5}  # epochs between two checks of RecBole's

Fit = Callable[["Part", dict, int | None], tuple[np.ndarray, int | None]]  # to scores and the number of epochs


@dataclass(frozen=True)
class Part:
    """Likes to learn from, sorted by user and time, and what is asked: all masks are bool ``[n_users, n_items]``."""

    users: np.ndarray  # int64 [n_likes]
    items: np.ndarray  # int64 [n_likes]
    seen: np.ndarray
    right: np.ndarray

    def top(self, scores: np.ndarray) -> np.ndarray:
        """The ten best unseen items of everybody: float ``[n_users, n_items]`` to int64 ``[n_users, 10]``."""
        return np.argsort(-np.where(self.seen, -np.inf, scores), axis=1, kind="stable")[:, :K]

    def ndcg(self, scores: np.ndarray) -> float:
        """Mean NDCG@10 over the users who like something here and have a right answer."""
        discounts, n_right = 1 / np.log2(np.arange(2, K + 2)), self.right.sum(axis=1)
        gains = (np.take_along_axis(self.right, self.top(scores), axis=1) * discounts).sum(axis=1)
        ideal = np.concatenate([[1.0], discounts.cumsum()])[np.minimum(n_right, K)]
        return float((gains / ideal)[(n_right > 0) & self.known()].mean())

    def known(self) -> np.ndarray:
        """Who has a like to learn from, bool ``[n_users]``."""
        return np.bincount(self.users, minlength=N_USERS) > 0


def load(name: str) -> Part:
    """The part ``tuning`` or ``final``, as ``write_parts`` has left it."""
    with np.load(HOME / f"{name}.npz") as columns:
        return Part(**columns)


def write_parts() -> None:
    """Cut the split and, within its training ratings, the part to choose settings on."""
    from recsys_course.data import frozen_split, last_split, movielens

    HOME.mkdir(parents=True, exist_ok=True)
    final = frozen_split(movielens().ratings, "last")
    for name, split in (("tuning", last_split(final.train, n=5)), ("final", final)):
        likes, masks = split.train.positives(), {"seen": split.train, "right": split.test}
        masks = {mask: of.matrix().toarray() > 0 for mask, of in masks.items()}
        np.savez(HOME / f"{name}.npz", users=likes.users.numpy(), items=likes.items.numpy(), **masks)


def tuned(settings: list[dict], fit: Fit) -> dict:
    """Try every setting, fit the best again on all training likes and return its lists."""
    tuning, final, began, tried = load("tuning"), load("final"), time.perf_counter(), []
    for setting in settings:
        scores, epochs = fit(tuning, setting, None)
        tried.append((tuning.ndcg(scores), epochs, setting))
        print(f"{tried[-1]} {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    _, epochs, setting = max(tried, key=lambda trial: trial[0])
    scores, _ = fit(final, setting, epochs)
    spent = {"minutes": (time.perf_counter() - began) / 60, "tried": tried, "setting": setting, "epochs": epochs}
    return spent | {"lists": final.top(scores).tolist()}


# --- the tools


def ours(name: str) -> dict:
    """One of the course's models; a network is stopped by the score of the tuning part."""
    import torch

    from recsys_course import models
    from recsys_course.data import Interactions

    torch.set_num_threads(1)
    everybody = torch.arange(N_USERS)

    def fit(part: Part, setting: dict, epochs: int | None) -> tuple[np.ndarray, int | None]:
        likes = Interactions.from_events(part.users, part.items, n_users=N_USERS, n_items=N_ITEMS)
        model = getattr(models, name)(**setting | ({"epochs": epochs} if epochs else {}))
        score = lambda: part.ndcg(model.scores(everybody).numpy())  # noqa: E731
        stops = name in NETWORKS and epochs is None
        model.fit(likes, **{"score": score, "patience": PATIENCE["ours"]} if stops else {})
        return model.scores(everybody).numpy(), model.history_.best_epoch if stops else epochs

    return tuned(OURS[name], fit)


def recbole(name: str) -> dict:
    """One of RecBole's models, checked after some epochs and left when it no longer improves."""
    import recbole_peer
    import torch

    torch.set_num_threads(1)

    def fit(part: Part, setting: dict, epochs: int | None) -> tuple[np.ndarray, int | None]:
        peer = recbole_peer.prepare(name, part.users, part.items, **setting)
        best, at, scores = -1.0, 0, None
        for epoch in range(1, (epochs or LIMIT[name]) + 1):
            peer.epoch(epoch)
            if epoch != epochs and (epochs or epoch % EVERY.get(name, 1)):
                continue
            found = of_everybody(peer, part)
            print(f"epoch {epoch}: {part.ndcg(found):.4f}", file=sys.stderr, flush=True)
            if epochs or part.ndcg(found) > best:
                best, at, scores = part.ndcg(found), epoch, found
            elif epoch - at >= PATIENCE["recbole"] * EVERY.get(name, 1):
                break
        return scores, at

    return tuned(RECBOLE[name], fit)


def of_everybody(peer, part: Part) -> np.ndarray:
    """RecBole's scores; zeros for whoever likes nothing, float ``[n_users, n_items]``."""
    known, ends = part.known().nonzero()[0], np.bincount(part.users, minlength=N_USERS).cumsum()
    sequences = np.split(part.items, ends[:-1])
    scores = np.zeros((N_USERS, N_ITEMS), dtype=np.float32)
    scores[known] = peer.scores(known, [sequences[user] for user in known], N_ITEMS)
    return scores


def implicit(name: str) -> dict:
    """One of implicit's models."""
    from implicit import als, bpr, nearest_neighbours
    from scipy import sparse

    options = {"random_state": 0, "use_gpu": False, "num_threads": 1}

    def fit(part: Part, setting: dict, epochs: int | None) -> tuple[np.ndarray, None]:
        ones = np.ones(len(part.users), dtype=np.float32)
        likes = sparse.csr_matrix((ones, (part.users, part.items)), shape=(N_USERS, N_ITEMS))
        if name == "ItemKNN":
            model = getattr(nearest_neighbours, setting["kind"])(K=setting["K"], num_threads=1)
            model.fit(likes, show_progress=False)
            scores = (likes @ model.similarity).toarray()
        else:
            kind = bpr.BayesianPersonalizedRanking if name == "BPR" else als.AlternatingLeastSquares
            model = kind(**options | setting)
            model.fit(likes, show_progress=False)
            scores = model.user_factors @ model.item_factors.T
        return scores, None

    return tuned(IMPLICIT[name], fit)


# --- the settings


def grid(**values: list) -> list[dict]:
    """Settings that vary together: the first of each, the second of each, and so on."""
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def of_recbole(name: str) -> list[dict]:
    """The grid of the sequence models in RecBole's words."""
    words = ["dropout_prob"] if name == "GRU4Rec" else ["hidden_dropout_prob", "attn_dropout_prob"]
    fixed = {"MAX_ITEM_LIST_LENGTH": LENGTH, "train_batch_size": 128, "train_neg_sample_args": None, "loss_type": "CE"}
    return [fixed | dict.fromkeys(words, dropout) for dropout in DROPOUTS]


NETWORKS = ("SASRec", "GRU4Rec", "BERT4Rec", "LightGCN")
OURS = {
    "SASRec": [{"length": LENGTH, "n_heads": 2, "dropout": d, "epochs": 200} for d in DROPOUTS],
    "GRU4Rec": [{"length": LENGTH, "dropout": d, "epochs": 200} for d in DROPOUTS],
    "BERT4Rec": [{"length": LENGTH, "n_heads": 2, "dropout": d, "epochs": 400} for d in DROPOUTS],
    "LightGCN": [{"epochs": 150} | s for s in grid(learning_rate=[0.005, 0.01, 0.01], reg=[1e-3, 1e-3, 1e-2])],
    "BPR": [{"learning_rate": 0.05} | s for s in grid(epochs=[20, 40, 40, 80], reg=[0.01, 0.01, 0.03, 0.03])],
    "IALS": grid(alpha=[2.0, 4.0, 8.0, 4.0], reg=[20.0, 20.0, 40.0, 40.0]),
    "ItemKNN": grid(k=[20, 50, 100, 50], shrink=[0.0, 0.0, 0.0, 20.0]),
}
RECBOLE = {name: of_recbole(name) for name in ("SASRec", "GRU4Rec", "BERT4Rec")} | {
    "LightGCN": grid(learning_rate=[0.001, 0.005, 0.005], reg_weight=[1e-5, 1e-5, 1e-3]),
    "BPR": grid(learning_rate=[0.001, 0.003, 0.001, 0.003], weight_decay=[0.0, 0.0, 1e-4, 1e-4]),
}
IMPLICIT = {
    "BPR": [
        {"factors": 64} | s
        for s in grid(
            learning_rate=[0.01, 0.02, 0.02, 0.05],
            regularization=[0.003, 0.003, 0.01, 0.01],
            iterations=[60, 40, 30, 20],
        )
    ],
    "IALS": [{"factors": 64} | s for s in grid(alpha=[3.0, 5.0, 9.0, 5.0], regularization=[20.0, 20.0, 40.0, 40.0])],
    "ItemKNN": grid(
        kind=["CosineRecommender", "CosineRecommender", "TFIDFRecommender", "BM25Recommender"], K=[20, 50, 50, 50]
    ),
}
TOOLS = {"ours": (ours, OURS), "recbole": (recbole, RECBOLE), "implicit": (implicit, IMPLICIT)}


# --- the comparison


def result(tool: str, model: str, keep: bool) -> dict:
    """What a tool found for a model, in a process of its own; kept in ``build/bench-quality``."""
    path = HOME / f"{tool}-{model}.json"
    if not (keep and path.exists()):
        python = sys.executable if tool == "ours" else harness.peer_python({"implicit": "models"}.get(tool, tool))
        path.write_text(json.dumps(harness.run(__file__, python, tool, model)), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def evaluations(found: dict[tuple[str, str], dict]) -> dict:
    """The lists of every tool, and those of chance and popularity, judged by the course's metrics."""
    import torch

    from recsys_course import metrics, models
    from recsys_course.data import frozen_split, movielens

    split, part = frozen_split(movielens().ratings, "last"), load("final")
    users = torch.from_numpy(((part.right.sum(axis=1) > 0) & part.known()).nonzero()[0])
    judge = lambda lists, name: metrics.judge(lists[users], split.train, split.test, users, name)  # noqa: E731
    everybody = torch.arange(N_USERS)
    plain = {("ours", name): getattr(models, name)().fit(split.train) for name in ("Popularity", "Random")}
    judged = {key: judge(model.recommend(everybody, K), key[1]) for key, model in plain.items()}
    return judged | {key: judge(torch.tensor(one["lists"]), " ".join(key)) for key, one in found.items()}


def compare(found: dict[tuple[str, str], dict]) -> bool:
    """Print every tool's quality, then each pair's difference and verdict."""
    from recsys_course import metrics

    judged = evaluations(found)
    print(f"\nMovieLens 100K, split last, {len(next(iter(judged.values()))):,} users, lists of ten")
    columns = {
        "model": lambda key: f"{key[1]}, {key[0]}",
        "NDCG@10 [95 %]": lambda key: str(judged[key].interval("ndcg")),
        "recall@10": lambda key: f"{judged[key].mean('recall'):.3f}",
        "minutes": lambda key: f"{found[key]['minutes']:.1f}" if key in found else "",
        "setting": lambda key: str(found[key]["setting"]) if key in found else "",
    }
    harness.print_table(columns, sorted(judged, key=lambda key: -judged[key].mean("ndcg")))
    verdicts = []
    for tool, name in (key for key in found if key[0] != "ours"):
        mine, theirs = judged["ours", name], judged[tool, name]
        low = theirs.interval("ndcg").low
        difference = metrics.paired_bootstrap(mine.per_user["ndcg"], theirs.per_user["ndcg"])
        sentence = f"{name}: {mine.mean('ndcg'):.4f} (not below {low:.4f}), ours minus {tool}'s {difference}"
        verdicts.append(harness.verdict(mine.mean("ndcg") >= low, sentence))
    return all(verdicts)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=list(OURS), choices=list(OURS), help="these models alone")
    parser.add_argument("--keep", action="store_true", help="take what an earlier run left, where there is some")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        tool, model = asked.measure
        print(json.dumps(TOOLS[tool][0](model)))
        return 0
    write_parts()
    wanted = [(tool, model) for model in asked.only for tool, (_, known) in TOOLS.items() if model in known]
    with ThreadPoolExecutor(harness.THREADS) as pool:  # a process with one thread each
        results = list(pool.map(lambda key: result(*key, asked.keep), wanted))
    return 0 if compare(dict(zip(wanted, results, strict=True))) else 1


if __name__ == "__main__":
    sys.exit(main())
