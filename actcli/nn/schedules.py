"""Schedules: the learning rate of each step, as a share of its peak.

A schedule is a pure function of the step, so a stopped run resumes with exactly the same learning
rates. The step t counts from 0; `total` is the number of steps of the whole run.

During the first `warmup` steps the share rises linearly to 1 (Goyal et al., Accurate, Large
Minibatch SGD (2017), section 2.2), and the schedule spans the remaining steps. One-cycle always
starts with a rise, whose length `warmup` sets.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

from actcli.registry import Registry

# (step, total, warmup) -> share of the peak
Schedule: TypeAlias = Callable[[float, float, float], float]

SCHEDULES: Registry[Schedule] = Registry("schedule")


def _after_warmup(decay: Callable[[float], float]) -> Schedule:
    """Return a schedule with a linear rise before a decay, a function of progress in [0, 1)."""

    def schedule(step: float, total: float, warmup: float) -> float:
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        return decay((step - warmup) / (total - warmup))

    schedule.__doc__ = decay.__doc__
    return schedule


@SCHEDULES.register("constant")
@_after_warmup
def constant(_progress: float) -> float:
    """Always the peak."""
    return 1.0


@SCHEDULES.register("linear")
@_after_warmup
def linear(progress: float) -> float:
    """A straight line down to 0."""
    return 1 - progress


@SCHEDULES.register("cosine")
@_after_warmup
def cosine(progress: float) -> float:
    """Half a cosine down to 0 (Loshchilov, Hutter, SGDR (ICLR 2017), equation 5, one period)."""
    return 0.5 * (1 + math.cos(math.pi * progress))


@SCHEDULES.register("exponential")
@_after_warmup
def exponential(progress: float) -> float:
    """The same factor at each step, down to a hundredth."""
    return float(0.01**progress)


@SCHEDULES.register("one-cycle")
def one_cycle(step: float, total: float, warmup: float) -> float:
    """Up from 1/25 over the first 30 %, down to 1/250,000, both as half a cosine.

    Smith, Topin, Super-Convergence (2018); the numbers are those of PyTorch's `OneCycleLR`,
    which changes the momentum as well; here the momentum stays constant.
    """
    low, final = 1 / 25, 1 / 25 / 1e4
    top = (warmup or 0.3 * total) - 1  # the step at which the rate peaks
    if step < top:
        return _cosine_between(low, 1.0, step / top)
    return _cosine_between(1.0, final, (step - top) / max(1.0, total - 1 - top))


def _cosine_between(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))
