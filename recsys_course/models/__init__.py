"""The recommenders, one file a model, all under the protocol of ``recsys_course.base``."""

from recsys_course.models.als import ALS
from recsys_course.models.bert import BertRecommender
from recsys_course.models.bpr import BPR
from recsys_course.models.ease import EASE
from recsys_course.models.ials import IALS
from recsys_course.models.knn import ItemKNN, UserKNN
from recsys_course.models.mf import MF
from recsys_course.models.popularity import Popularity
from recsys_course.models.random import Random
from recsys_course.models.rating_knn import RatingKNN
from recsys_course.models.two_tower import TwoTower

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "IALS",
    "MF",
    "BertRecommender",
    "ItemKNN",
    "Popularity",
    "Random",
    "RatingKNN",
    "TwoTower",
    "UserKNN",
]
