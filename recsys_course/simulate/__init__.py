"""Worlds with known truth: what no log can prove, a simulation can."""

from recsys_course.simulate.world import Log, World, softmax_policy

__all__ = ["Log", "World", "softmax_policy"]
