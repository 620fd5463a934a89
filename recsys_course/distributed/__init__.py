"""Training in several processes: copies that average their gradients, parts of one model, restarts after a crash."""

from recsys_course.distributed.embedding import ShardedEmbedding
from recsys_course.distributed.processes import LaunchError, alone, launch, launch_all
from recsys_course.distributed.shards import Shards, write_shards

__all__ = ["LaunchError", "ShardedEmbedding", "Shards", "alone", "launch", "launch_all", "write_shards"]
