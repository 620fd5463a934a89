"""Claim: on MovieLens 100K with five random folds, ratings are predicted as well as by the specialists, and as fast.

SGD with biases: RMSE at most .93 in no more CPU seconds than Surprise's SVD. ALS and item-KNN: within .003 of the best
peer. Seconds are of the fit and the predictions of one fold, the median of five; every prediction is clipped to 1 to 5.

    python benchmarks/ratings.py [--repeats 1]
"""

import sys
from collections.abc import Callable

import harness
import numpy as np

FOLDS, RMSE_SGD, GAP = 5, 0.93, 0.003
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]  # users and items to ratings


def five_folds(fit: Callable[..., Predict]) -> dict:
    """RMSE over all ratings, each predicted by a model that did not see it, and CPU seconds a fold.

    Args:
        fit: from users, items and ratings to learn from to a function that predicts.
    """
    columns = np.load(harness.BUILD / "bench-ratings.npz")
    users, items, ratings = columns["users"], columns["items"], columns["ratings"]
    fold = np.random.default_rng(0).permutation(len(ratings)) % FOLDS
    errors, seconds = [], []
    for held in (fold == number for number in range(FOLDS)):
        work = lambda held=held: fit(users[~held], items[~held], ratings[~held])(users[held], items[held])  # noqa: E731
        predicted, spent = harness.stopwatch(work)
        errors.append(np.clip(predicted, 1, 5) - ratings[held])
        seconds.append(spent)
    squares = np.concatenate(errors) ** 2
    half = 1.96 * squares.std() / np.sqrt(len(squares))
    rmse = [float(np.sqrt(value)) for value in (squares.mean(), squares.mean() - half, squares.mean() + half)]
    return {key: float(np.median([spent[key] for spent in seconds])) for key in ("wall", "cpu")} | {"rmse": rmse}


def write_ratings() -> None:
    """The course's MovieLens 100K for tools that run in another interpreter."""
    from recsys_course import data

    ratings, path = data.movielens().ratings, harness.BUILD / "bench-ratings.npz"
    path.parent.mkdir(exist_ok=True)
    columns = {name: getattr(ratings, name).numpy() for name in ("users", "items", "ratings")}
    np.savez(path, **columns)


# --- the tools


def ours(model: str) -> dict:
    """One of the course's models, from columns of events to predictions."""
    import torch

    from recsys_course import models
    from recsys_course.data import Interactions

    torch.set_num_threads(1)  # Surprise has one as well, and small batches leave a second one nothing to do
    made = {"sgd": models.MF, "als": models.ALS, "item-knn": models.RatingKNN}[model]()

    def fit(users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Predict:
        made.fit(Interactions.from_events(users, items, ratings, n_users=943, n_items=1682))
        return lambda u, i: made.predict(torch.from_numpy(u), torch.from_numpy(i)).numpy()

    return five_folds(fit)


def surprise(model: str) -> dict:
    """Surprise's SVD with its defaults, and its item-KNN with baselines."""
    import pandas as pd
    import surprise as s

    options = {"user_based": False, "name": "pearson_baseline"}
    make = {"svd": lambda: s.SVD(random_state=0), "item-knn": lambda: s.KNNBaseline(sim_options=options, verbose=False)}

    def fit(users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Predict:
        table = pd.DataFrame({"user": users, "item": items, "rating": ratings.astype(float)})
        trainset = s.Dataset.load_from_df(table, s.Reader(rating_scale=(1, 5))).build_full_trainset()
        fitted = make[model]().fit(trainset)
        return lambda u, i: np.array([fitted.predict(*pair).est for pair in zip(u, i, strict=True)])

    return five_folds(fit)


def lenskit(model: str) -> dict:
    """LensKit's item-KNN with 20 neighbours and its ALS with biases, scored user by user."""
    import pandas as pd
    from lenskit import predict
    from lenskit.als import BiasedMFScorer
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.knn import ItemKNNScorer
    from lenskit.pipeline import predict_pipeline

    make = {"item-knn": lambda: ItemKNNScorer(max_nbrs=20), "als": lambda: BiasedMFScorer(embedding_size=50, epochs=10)}

    def fit(users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Predict:
        table = pd.DataFrame({"user_id": users, "item_id": items, "rating": ratings})
        pipeline = predict_pipeline(make[model]())
        pipeline.train(from_interactions_df(table))

        def of_pairs(u: np.ndarray, i: np.ndarray) -> np.ndarray:
            found = np.empty(len(u))
            for user in np.unique(u):
                mine = u == user
                found[mine] = predict(pipeline, int(user), ItemList(item_ids=i[mine])).scores()
            return np.where(np.isfinite(found), found, ratings.mean())

        return of_pairs

    return five_folds(fit)


TOOLS = {
    "ours MF by SGD": lambda _: ours("sgd"),
    "ours ALS": lambda _: ours("als"),
    "ours item-KNN": lambda _: ours("item-knn"),
    "Surprise SVD": lambda _: surprise("svd"),
    "Surprise item-KNN with baselines": lambda _: surprise("item-knn"),
    "LensKit ALS": lambda _: lenskit("als"),
    "LensKit item-KNN": lambda _: lenskit("item-knn"),
}


def judge(name: str, results: dict[str, dict]) -> bool:
    """SGD against Surprise's SVD, ALS and item-KNN against the best peer."""
    print(f"\n{name}, five random folds; CPU s of fit and predictions, a fold")
    columns = {
        "tool": str,
        "RMSE [95 %]": lambda tool: "{:.4f} [{:.4f}, {:.4f}]".format(*results[tool]["rmse"]),
        "CPU s": lambda tool: f"{results[tool]['cpu']:.2f}",
        "peak MB": lambda tool: f"{results[tool]['megabytes']:,.0f}",
    }
    harness.print_table(columns, sorted(results, key=lambda tool: results[tool]["rmse"]))
    best = min(result["rmse"][0] for tool, result in results.items() if not tool.startswith("ours"))
    sgd, svd = results["ours MF by SGD"], results["Surprise SVD"]
    sentence = f"SGD at {sgd['rmse'][0]:.4f} (at most {RMSE_SGD}) in {sgd['cpu'] / svd['cpu']:.2f} times Surprise's CPU"
    verdicts = [harness.verdict(sgd["rmse"][0] <= RMSE_SGD and sgd["cpu"] <= svd["cpu"], f"{sentence} (at most 1)")]
    for tool in ("ours ALS", "ours item-KNN"):
        gap = results[tool]["rmse"][0] - best
        sentence = f"{tool.removeprefix('ours ')} {gap:+.4f} from the best peer (at most +{GAP})"
        verdicts.append(harness.verdict(gap <= GAP, sentence))
    return all(verdicts)


if __name__ == "__main__":
    if "--measure" not in sys.argv:
        write_ratings()
    sys.exit(harness.main(__file__, "models", TOOLS, ["movielens-100k"], judge, repeats=1))
