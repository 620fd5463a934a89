"""A small language model as a re-ranker: prompts, their parser, option scores, positions, cost."""

from recsys_course.language.cost import Cost, request_cost
from recsys_course.language.model import LanguageModel
from recsys_course.language.positions import cyclic_orders, debias, position_effect
from recsys_course.language.prompts import Ranking, parse_ranking, render, short

__all__ = [
    "Cost",
    "LanguageModel",
    "Ranking",
    "cyclic_orders",
    "debias",
    "parse_ranking",
    "position_effect",
    "render",
    "request_cost",
    "short",
]
