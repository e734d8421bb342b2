"""The training step on several worker processes: workers, shards, shared memory."""
