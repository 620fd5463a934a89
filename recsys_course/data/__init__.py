"""Real ratings and how to split them: everything a lesson needs from here is one import."""

from recsys_course.data.events_csv import read_csv
from recsys_course.data.interactions import POSITIVE, Interactions
from recsys_course.data.knowledge import knowledge_graph
from recsys_course.data.leaks import PROMISES, find_leaks
from recsys_course.data.movielens import Dataset, movielens
from recsys_course.data.sequences import histories, shuffle_order
from recsys_course.data.splits import (
    Split,
    cold_item_split,
    cold_user_split,
    frozen_split,
    k_core,
    last_split,
    random_split,
    time_split,
)

__all__ = [
    "POSITIVE",
    "PROMISES",
    "Dataset",
    "Interactions",
    "Split",
    "cold_item_split",
    "cold_user_split",
    "find_leaks",
    "frozen_split",
    "histories",
    "k_core",
    "knowledge_graph",
    "last_split",
    "movielens",
    "random_split",
    "read_csv",
    "shuffle_order",
    "time_split",
]
