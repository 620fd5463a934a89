"""The recommenders, one file a model, all under the protocol of ``recsys_course.base``."""

from recsys_course.models.als import ALS
from recsys_course.models.bert import BertRecommender
from recsys_course.models.bert4rec import BERT4Rec
from recsys_course.models.blend import Blend
from recsys_course.models.bpr import BPR
from recsys_course.models.content_map import ContentMap
from recsys_course.models.dropoutnet import DropoutNet
from recsys_course.models.ease import EASE
from recsys_course.models.gat import GAT
from recsys_course.models.gfcf import GFCF
from recsys_course.models.graph_sage import GraphSAGE
from recsys_course.models.gru4rec import GRU4Rec
from recsys_course.models.ials import IALS
from recsys_course.models.knn import ItemKNN, UserKNN
from recsys_course.models.lightgcn import LightGCN
from recsys_course.models.markov import MarkovChain
from recsys_course.models.mf import MF
from recsys_course.models.multi_interest import MultiInterest
from recsys_course.models.popularity import Popularity
from recsys_course.models.random import Random
from recsys_course.models.rating_knn import RatingKNN
from recsys_course.models.recent import Recent
from recsys_course.models.sasrec import SASRec
from recsys_course.models.semantic_generator import SemanticGenerator
from recsys_course.models.two_tower import TwoTower

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "GAT",
    "GFCF",
    "IALS",
    "MF",
    "BERT4Rec",
    "BertRecommender",
    "Blend",
    "ContentMap",
    "DropoutNet",
    "GRU4Rec",
    "GraphSAGE",
    "ItemKNN",
    "LightGCN",
    "MarkovChain",
    "MultiInterest",
    "Popularity",
    "Random",
    "RatingKNN",
    "Recent",
    "SASRec",
    "SemanticGenerator",
    "TwoTower",
    "UserKNN",
]
