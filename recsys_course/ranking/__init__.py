"""Rankers: given a user, an item and a moment, how likely is a click, and a purchase after it?"""

from recsys_course.ranking.base import Ranker
from recsys_course.ranking.baselines import ItemRate, Logistic, Trees
from recsys_course.ranking.calibration import Reliability, calibration_error, log_loss, prior_shift, reliability
from recsys_course.ranking.goals import ESMM, MMoE, SharedBottom, esmm_loss
from recsys_course.ranking.networks import DCN, DIN, FM, Network, click_loss, fm_crosses, target_attention
from recsys_course.ranking.observed import arrived, examination

__all__ = [
    "DCN",
    "DIN",
    "ESMM",
    "FM",
    "ItemRate",
    "Logistic",
    "MMoE",
    "Network",
    "Ranker",
    "Reliability",
    "SharedBottom",
    "Trees",
    "arrived",
    "calibration_error",
    "click_loss",
    "esmm_loss",
    "examination",
    "fm_crosses",
    "log_loss",
    "prior_shift",
    "reliability",
    "target_attention",
]
