"""Small, readable building blocks for the recommender-systems course.

The names below are loaded on first use, so that ``import recsys_course`` stays fast.
"""

import os
from importlib import import_module

__version__ = "0.1.0"
__all__ = ["Interactions", "Recommender", "claim", "claim_value", "evaluate"]

_HOMES = {
    "Interactions": "recsys_course.data",
    "Recommender": "recsys_course.base",
    "claim": "recsys_course.claims",
    "claim_value": "recsys_course.claims",
    "evaluate": "recsys_course.metrics",
}

# Nothing phones home: no telemetry, and no model hub unless the learner asks for one.
for _name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE", "DO_NOT_TRACK"):
    os.environ.setdefault(_name, "1")


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'recsys_course' has no attribute {name!r}")
