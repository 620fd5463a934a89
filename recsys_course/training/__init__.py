"""The one training loop: epochs, early stopping with the best weights restored, checkpoints and exact resume.

``run_epochs`` takes any function that goes through the data once, gradients by hand included; ``train`` writes that
function for an ``nn.Module``.
"""

from recsys_course.training.epochs import run_epochs, seeded
from recsys_course.training.network import train
from recsys_course.training.stopping import Diverged, EarlyStopping, History

__all__ = ["Diverged", "EarlyStopping", "History", "run_epochs", "seeded", "train"]
