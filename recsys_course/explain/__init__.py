# ruff: noqa: F401
"""Explanations and their tests: who or what moved a score, and whether taking it away moves it back.

Every attribution gives one number for each part of an input, positive where the part raised the score. ``faithfulness``
holds any of them to the same test.
"""

from recsys_course.explain.attention import attention_weights, bert, bert_attention, rollout, token_effects
from recsys_course.explain.concepts import concept_auc, concept_direction, shuffled_labels
from recsys_course.explain.counterfactual import (
    Removal,
    effects,
    first_choice,
    history_scores,
    smallest_removal,
    without_each,
)
from recsys_course.explain.faithfulness import (
    area,
    deletion_curve,
    greedy_order,
    insertion_curve,
    kept_score,
    order_by,
    random_orders,
)
from recsys_course.explain.feed import COLUMNS, Rankers, rankers
from recsys_course.explain.gradients import (
    completeness_gap,
    gradient_times_input,
    integrated_gradients,
    item_score,
)
from recsys_course.explain.importance import drop_column_importance, permutation_importance
from recsys_course.explain.shapley import coalition_value, fidelity, shapley_values
