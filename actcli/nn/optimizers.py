"""Optimizers: from a gradient to the next parameters.

All parameters of a network are one array, so a rule is a few lines on arrays of that length:
parameters p, gradient g, and whatever it remembers, its slots. Definitions and defaults are those
of PyTorch, so that a run here and a run there can be compared number by number; only SGD's learning
rate is one that gets somewhere.

Weight decay pulls weights, not biases, to zero: it acts on the first `decayed` parameters. It adds
to the gradient (an L2 penalty), except in AdamW.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from actcli.nn.arrays import Allocate, Array
from actcli.registry import Registry


@dataclass
class OptimizerState:
    """What an optimizer remembers from step to step, and scratch space."""

    step: int  # steps taken
    slots: dict[str, Array]  # each of the length of the parameters
    work: Array

    def part(self, span: slice) -> "OptimizerState":
        """Views of what belongs to a stretch of the parameters, to update it by itself."""
        return OptimizerState(
            self.step, {k: slot[span] for k, slot in self.slots.items()}, self.work[span]
        )

    def move(self, allocate: Allocate) -> None:
        """Keep the slots somewhere else. Views of where they were do not follow."""
        for name, before in self.slots.items():
            self.slots[name] = allocate(before.shape, before.dtype)
            np.copyto(self.slots[name], before)


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule. Its fields are the hyperparameters that it has."""

    learning_rate: ClassVar[float]  # the default
    decay: ClassVar[float] = 0.0  # the default weight decay
    slots: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    source: ClassVar[str]

    weight_decay: float = 0.0

    @property
    def fading(self) -> float:
        """By what the slots shrink at each step without a gradient; of several, the smallest."""
        return 1.0

    def start(self, parameters: Array) -> OptimizerState:
        """The state before the first step: all slots 0."""
        slots = {name: np.zeros_like(parameters) for name in self.slots}
        return OptimizerState(0, slots, np.empty_like(parameters))

    def step(
        self,
        parameters: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decayed: int,
    ) -> None:
        """Update the parameters and the state in place; the gradient is overwritten."""
        state.step += 1
        if self.weight_decay:
            self._decay(parameters[:decayed], gradient[:decayed], state, learning_rate)
        self._update(parameters, gradient, state, learning_rate)
        if state.step % _interval(self.fading) == 0:
            for slot in state.slots.values():
                _flush(slot, state.work)
            if self.weight_decay:
                _flush(parameters[:decayed], state.work[:decayed])

    def _decay(self, p: Array, g: Array, state: OptimizerState, _learning_rate: float) -> None:
        shrink = state.work[: p.size]
        np.multiply(p, self.weight_decay, out=shrink)
        g += shrink

    @abstractmethod
    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None: ...


OPTIMIZERS: Registry[type[Optimizer]] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
@dataclass(frozen=True)
class SGD(Optimizer):
    """p ← p - η v with v ← μ v + g; Nesterov's form takes g + μ v in place of v."""

    learning_rate = 0.1
    slots = ("velocity",)
    summary = "Downhill, with momentum if wanted."
    source = (
        "Sutskever et al., On the Importance of Initialization and Momentum (ICML 2013), section 2"
    )

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def fading(self) -> float:
        return self.momentum

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        direction = g
        if self.momentum:
            v = state.slots["velocity"]
            v *= self.momentum
            v += g
            if self.nesterov:
                np.multiply(v, self.momentum, out=state.work)
                g += state.work
            else:
                direction = v
        np.multiply(direction, learning_rate, out=g)
        p -= g


@OPTIMIZERS.register("rmsprop")
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """p ← p - η g / (√s + ε) with s ← 0.99 s + 0.01 g²."""

    learning_rate = 0.01
    slots = ("mean_square",)
    summary = "Each parameter's gradient over its recent size."
    source = "Tieleman, Hinton, Lecture 6.5 of Neural Networks for Machine Learning (2012)"

    smoothing: ClassVar[float] = 0.99
    epsilon: ClassVar[float] = 1e-8

    @property
    def fading(self) -> float:
        return self.smoothing

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        s, work = state.slots["mean_square"], state.work
        np.multiply(g, g, out=work)
        work *= 1 - self.smoothing
        s *= self.smoothing
        s += work
        _divide_by_root(g, s, self.epsilon, work)
        g *= learning_rate
        p -= g


@OPTIMIZERS.register("adagrad")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """p ← p - η g / (√s + ε) with s ← s + g²."""

    learning_rate = 0.01
    slots = ("sum_of_squares",)
    summary = "Each parameter's gradient over all that it has been; steps only shrink."
    source = "Duchi, Hazan, Singer, JMLR 12 (2011), section 1.3"

    epsilon: ClassVar[float] = 1e-10

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        s, work = state.slots["sum_of_squares"], state.work
        np.multiply(g, g, out=work)
        s += work
        _divide_by_root(g, s, self.epsilon, work)
        g *= learning_rate
        p -= g


@OPTIMIZERS.register("adam")
@dataclass(frozen=True)
class Adam(Optimizer):
    """p ← p - η m̂ / (√v̂ + ε), running means m of g and v of g², corrected for their start at
    0."""

    learning_rate = 0.001
    slots = ("sum", "sum_of_squares")
    summary = "Momentum over the recent size of the gradient, for each parameter."
    source = "Kingma, Ba, Adam (ICLR 2015), algorithm 1"

    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: ClassVar[float] = 1e-8

    @property
    def fading(self) -> float:
        return min(self.betas)

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        # The slots are fading sums, M = m / (1 - β₁) and V = v / (1 - β₂): all that turns them into
        # the corrected means is two numbers a step, and three passes over all parameters less.
        m, v = state.slots["sum"], state.slots["sum_of_squares"]
        beta1, beta2 = self.betas
        of_mean = (1 - beta1) / (1 - beta1**state.step)
        of_root = math.sqrt((1 - beta2) / (1 - beta2**state.step))
        m *= beta1
        m += g
        v *= beta2
        v += np.multiply(g, g, out=g)
        np.sqrt(v, out=g)
        g += self.epsilon / of_root
        np.divide(m, g, out=g)
        g *= learning_rate * of_mean / of_root
        p -= g


@OPTIMIZERS.register("adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly: p ← (1 - η λ) p before the step."""

    decay = 0.01
    summary = "Adam with a weight decay that its scaling does not distort."
    source = "Loshchilov, Hutter, Decoupled Weight Decay Regularization (ICLR 2019), algorithm 2"

    def _decay(self, p: Array, _g: Array, _state: OptimizerState, learning_rate: float) -> None:
        p *= 1 - learning_rate * self.weight_decay


def clip_by_norm(gradient: Array, limit: float, squares: float | None = None) -> None:
    """Scale the gradient in place so that its Euclidean norm is at most `limit`.

    Args:
        gradient: all of it, or a part.
        limit: of the norm.
        squares: the sum of the squares of all of it, where `gradient` is a part.

    Pascanu, Mikolov, Bengio, On the Difficulty of Training Recurrent Neural Networks (ICML 2013),
    algorithm 1; the 1e-6 is that of PyTorch's `clip_grad_norm_`.
    """
    norm = math.sqrt(np.vdot(gradient, gradient) if squares is None else squares)
    if norm > limit:
        gradient *= limit / (norm + 1e-6)


def _interval(fading: float) -> int:
    """In how many steps at most to flush: until then nothing shrinks by more than 1e-8."""
    return min(100, max(1, int(8 / -math.log10(fading)))) if 0 < fading < 1 else 100


def _flush(values: Array, work: Array) -> None:
    """Set to 0 what has faded out of a slot, or of weights that decay.

    Where a unit has died the gradient is 0, and means shrink by the same factor at each step, down
    to denormal numbers, where rounding holds them for good and arithmetic is ten times slower on
    many processors. What is left here stays clear of them, even times a small learning rate.
    """
    np.abs(values, out=work)
    np.greater(work, 1e-25, out=work)  # its root is nothing beside any ε
    np.multiply(values, work, out=values)


def _divide_by_root(g: Array, s: Array, epsilon: float, work: Array) -> None:
    """g ← g / (√s + ε)."""
    np.sqrt(s, out=work)
    work += epsilon
    g /= work
