"""The program that torchrun runs in each process.

``python -m torch.distributed.run ... -m recsys_course.distributed FOLDER [WHERE_CHECKPOINTS_AND_LOGS_GO]``
"""

import sys
from pathlib import Path

from recsys_course.distributed.worker import work

if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[-1]))
