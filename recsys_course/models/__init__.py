"""The recommenders, one file a model, all under the protocol of ``recsys_course.base``."""

from recsys_course.models.ease import EASE
from recsys_course.models.knn import ItemKNN
from recsys_course.models.popularity import Popularity
from recsys_course.models.random import Random

__all__ = ["EASE", "ItemKNN", "Popularity", "Random"]
