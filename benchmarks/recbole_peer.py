"""RecBole as a peer of the benchmarks: pairs of a user and an item in, its own training and its scores out.

Runs in ``build/bench-recbole`` alone. Training is RecBole's: its data set with one sample for each prefix of a
sequence, its loader, its negatives, its trainer. Only the split and the metrics are not used.
"""

import tempfile
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.data.interaction import Interaction
from recbole.sampler import Sampler
from recbole.utils import ModelType, get_model, get_trainer, init_seed

SETTINGS = {
    "USER_ID_FIELD": "user",
    "ITEM_ID_FIELD": "item",
    "TIME_FIELD": "time",
    "load_col": {"inter": ["user", "item", "time"]},
    "use_gpu": False,
    "gpu_id": "",
    "show_progress": False,
    "state": "ERROR",
    "save_dataset": False,
}


@dataclass
class Peer:
    """One of RecBole's models before and during its training."""

    config: Config
    dataset: object
    loader: TrainDataLoader
    model: torch.nn.Module
    trainer: object

    def epoch(self, number: int) -> float:
        """Train for one epoch, and return the summed loss."""
        return self.trainer._train_epoch(self.loader, number)

    @torch.no_grad()
    def scores(self, users: np.ndarray, sequences: list[np.ndarray], n_items: int) -> np.ndarray:
        """Scores of all items in the caller's numbers, ``-inf`` for what RecBole never met: ``[batch, n_items]``.

        Args:
            users: int64 ``[batch]``.
            sequences: each user's items, oldest first; general models leave them alone.
            n_items: how many items there are.
        """
        self.model.eval()
        own = lambda field, ids: self.dataset.field2token_id[field][str(ids)]  # noqa: E731
        batch = {"user": torch.tensor([own("user", user) for user in users])}
        if self.config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            length = self.config["MAX_ITEM_LIST_LENGTH"]
            recent = [[own("item", item) for item in items[-length:]] for items in sequences]
            padded = [items + [0] * (length - len(items)) for items in recent]
            lengths = torch.tensor([len(items) for items in recent])
            batch |= {self.model.ITEM_SEQ: torch.tensor(padded), self.model.ITEM_SEQ_LEN: lengths}
        found = self.model.full_sort_predict(Interaction(batch)).view(len(users), -1).numpy()
        scores = np.full((len(users), n_items), -np.inf, dtype=np.float32)
        tokens = self.dataset.field2id_token["item"][1:].astype(np.int64)  # the first stands for padding
        scores[:, tokens] = found[:, 1 : 1 + len(tokens)]
        return scores


def prepare(name: str, users: np.ndarray, items: np.ndarray, **settings) -> Peer:
    """A model of RecBole's and what it trains on.

    Args:
        name: such as ``SASRec``.
        users: int64 ``[n_events]``.
        items: in the order of time within each user, int64 ``[n_events]``.
        settings: RecBole's own, such as ``learning_rate``.
    """
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # RecBole writes a log where it stands
        home = Path(folder) / "bench"
        home.mkdir()
        rows = np.column_stack([users, items, np.arange(len(users))])
        head = "user:token\titem:token\ttime:float"
        np.savetxt(home / "bench.inter", rows, fmt="%d", delimiter="\t", header=head, comments="")
        place = {"data_path": folder, "checkpoint_dir": folder}
        config = Config(model=name, dataset="bench", config_dict=SETTINGS | place | settings)
        init_seed(config["seed"], reproducibility=True)
        dataset = create_dataset(config)
        dataset._change_feat_format()  # for sequences: one sample for each prefix
        sampler = None
        if config["MODEL_TYPE"] != ModelType.SEQUENTIAL:
            sampler = Sampler(["train"], [dataset], "uniform", 1.0).set_phase("train")
        loader = TrainDataLoader(config, dataset, sampler, shuffle=True)
        model = get_model(name)(config, dataset)
        return Peer(config, dataset, loader, model, get_trainer(config["MODEL_TYPE"], name)(config, model))
