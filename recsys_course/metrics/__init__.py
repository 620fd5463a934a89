"""Every metric of the course, and ``evaluate``.

Higher is better, but for ``gini`` and ``miscalibration``, where lower is. Metrics of accuracy take the hits table that
``find_hits`` makes; those of coverage, novelty and variety take the lists; ``auc`` and ``gauc`` take scores. The
module ``experiments`` is about A/B tests, ``offpolicy`` about what a log tells of another policy.
"""

from recsys_course.metrics.evaluation import Evaluation, average_seeds, evaluate, judge, leaderboard
from recsys_course.metrics.experiments import ab_sample_size, peek, z_score
from recsys_course.metrics.intervals import Interval, bootstrap, paired_bootstrap
from recsys_course.metrics.lists import (
    coverage,
    exposures,
    gini,
    intra_list_diversity,
    miscalibration,
    novelty,
)
from recsys_course.metrics.offpolicy import Estimate, effective_sample_size, importance_weights, ips, snips
from recsys_course.metrics.ranking import (
    ACCURACY,
    GroupedAUC,
    auc,
    average_precision,
    count_relevant,
    find_hits,
    gauc,
    hit_rate,
    in_blocks,
    mrr,
    ndcg,
    precision,
    recall,
)
from recsys_course.metrics.strata import stratified_report

__all__ = [
    "ACCURACY",
    "Estimate",
    "Evaluation",
    "GroupedAUC",
    "Interval",
    "ab_sample_size",
    "auc",
    "average_precision",
    "average_seeds",
    "bootstrap",
    "count_relevant",
    "coverage",
    "effective_sample_size",
    "evaluate",
    "exposures",
    "find_hits",
    "gauc",
    "gini",
    "hit_rate",
    "importance_weights",
    "in_blocks",
    "intra_list_diversity",
    "ips",
    "judge",
    "leaderboard",
    "miscalibration",
    "mrr",
    "ndcg",
    "novelty",
    "paired_bootstrap",
    "peek",
    "precision",
    "recall",
    "snips",
    "stratified_report",
    "z_score",
]
