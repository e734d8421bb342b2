"""Training: the learner, the step, the loop with its events, evaluation and divergence."""
