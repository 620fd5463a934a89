"""What an encyclopaedia knows about the films of MovieLens 100K: a graph of facts, linked to the items."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor

from recsys_course.assets import fetch
from recsys_course.data.movielens import Dataset


@dataclass(frozen=True, eq=False, repr=False)
class KnowledgeGraph:
    """Facts such as *Toy Story - film.film.directed_by - m.01q8wx*: two entities and how they are related.

    Attributes:
        heads: entity in front, int64 ``[n_triples]``.
        relations: which relation, int64 ``[n_triples]``.
        tails: entity behind, int64 ``[n_triples]``.
        entities: Freebase's name of each entity, such as ``m.01q8wx``, ``[n_entities]``; most of them no reader knows.
        relation_names: ``[n_relations]``.
        items: the entity that each item is, int64 ``[n_items]``; ``-1`` for an item without a link.
    """

    heads: Tensor
    relations: Tensor
    tails: Tensor
    entities: tuple[str, ...]
    relation_names: tuple[str, ...]
    items: Tensor

    def __len__(self) -> int:
        return len(self.heads)

    def __repr__(self) -> str:
        linked, counts = int((self.items >= 0).sum()), f"{len(self.entities):,} entities"
        counts += f", {len(self.relation_names)} relations"
        return f"KnowledgeGraph({len(self):,} triples, {counts}, {linked:,} of {len(self.items):,} items linked)"

    def neighbours(self) -> sparse.csr_matrix:
        """One where a fact joins an item and an entity, whatever its relation and direction.

        Returns:
            Float32 CSR ``[n_items, n_entities]``; a row of zeros for an item without a link.
        """
        film = torch.full((len(self.entities),), -1)  # which item an entity is, [n_entities]
        linked = (self.items >= 0).nonzero()[:, 0]
        film[self.items[linked]] = linked
        rows = torch.cat([film[self.heads], film[self.tails]])  # [2 * n_triples]
        columns, about = torch.cat([self.tails, self.heads]), rows >= 0
        places = rows[about].numpy(), columns[about].numpy()
        shape = len(self.items), len(self.entities)
        table = sparse.csr_matrix((np.ones(len(places[0]), dtype=np.float32), places), shape=shape)
        table.data[:] = 1  # an actor who also directs is one neighbour
        return table


def knowledge_graph(dataset: Dataset, folder: Path | str | None = None) -> KnowledgeGraph:
    """The Freebase facts around the films of MovieLens 100K, fetched the first time.

    An item without a link has no fact; a linked film that is not in ``dataset`` stays an entity like any other.
    Beware: the links are taken as they are shipped, and most of them name another film, because their item numbers
    seem to be those of the larger MovieLens sets (RUCAIBox/RecSysDatasets on GitHub, thread 130).
    Source: Freebase (CC BY), linked to MovieLens by KB4Rec (Zhao et al., Data Intelligence 1, 2019).

    Args:
        dataset: MovieLens 100K; its ``item_id`` is what the links name.
        folder: where ``ml-100k.kg`` and ``ml-100k.link`` are; by default the cache.

    Raises:
        ValueError: no link fits an item of ``dataset``.
    """
    triples, links = _read(Path(folder) if folder else fetch("ml-100k-graph"))
    everything = np.concatenate([triples["head"], triples["tail"], links["entity"]])
    entities, numbers = np.unique(everything, return_inverse=True)
    heads, tails, linked = np.split(numbers, [len(triples), 2 * len(triples)])
    names, relations = np.unique(triples["relation"], return_inverse=True)
    place = pd.Index(links["item_id"]).get_indexer(dataset.items["item_id"])  # [n_items], -1 without a link
    if not (place >= 0).any():
        raise ValueError(f"no link of the knowledge graph fits an item of {dataset.name!r}: it is about ml-100k")
    items = np.where(place >= 0, linked[place], -1)
    columns = (torch.from_numpy(column.astype(np.int64)) for column in (heads, relations, tails))
    return KnowledgeGraph(*columns, tuple(entities), tuple(names), torch.from_numpy(items))


@cache
def _read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    form = {"sep": "\t", "header": 0, "encoding": "utf-8", "keep_default_na": False}
    triples = pd.read_csv(folder / "ml-100k.kg", names=["head", "relation", "tail"], dtype=str, **form)
    links = pd.read_csv(folder / "ml-100k.link", names=["item_id", "entity"], dtype={"entity": str}, **form)
    return triples, links
