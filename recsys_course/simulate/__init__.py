"""Worlds with known truth: what no log can prove, a simulation can."""

from recsys_course.simulate.arms import Arms
from recsys_course.simulate.clicks import Feed, Impressions
from recsys_course.simulate.order import OrderWorld
from recsys_course.simulate.world import Log, World, softmax_policy

__all__ = ["Arms", "Feed", "Impressions", "Log", "OrderWorld", "World", "softmax_policy"]
