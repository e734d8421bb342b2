"""Optimizers: from a gradient to the next parameters.

All parameters of a network are one vector, so a rule is a few lines on vectors of that length:
parameters p, gradient g, and the slots, which the optimizer keeps from step to step. Definitions
and defaults are PyTorch's, so that trainings of both can be compared number by number. The
exception is SGD's learning rate, whose default in PyTorch is too small to learn in a few epochs.

Weight decay pulls weights, not biases, towards 0: it acts on the first `decayed` parameters. It
adds to the gradient (an L2 penalty), except in AdamW. The rules are in order of complexity.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from actcli.nn.arrays import Allocate, Array, aligned_empty
from actcli.registry import Registry


@dataclass
class OptimizerState:
    """The memory of an optimizer between steps, and scratch space."""

    step: int  # steps taken
    slots: dict[str, Array]  # such as momentum; each is as long as the parameter vector
    scratch: Array

    def part(self, span: slice) -> "OptimizerState":
        """Return views of the state of a range of the parameters, to update that range alone."""
        slots = {name: slot[span] for name, slot in self.slots.items()}
        return OptimizerState(self.step, slots, self.scratch[span])

    def move(self, allocate: Allocate) -> None:
        """Copy the slots to memory from `allocate`.

        Views made before still refer to the old memory.
        """
        for name, before in self.slots.items():
            self.slots[name] = allocate(before.shape, before.dtype)
            np.copyto(self.slots[name], before)


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule. Its fields are its hyperparameters."""

    default_learning_rate: ClassVar[float]
    default_weight_decay: ClassVar[float] = 0.0
    slots: ClassVar[tuple[str, ...]]
    summary: ClassVar[str]
    source: ClassVar[str]

    weight_decay: float = 0.0

    @property
    def slot_decay(self) -> float:
        """The factor by which the fastest slot shrinks at a step whose gradient is 0."""
        return 1.0

    def start(self, parameters: Array) -> OptimizerState:
        """Return the state before the first step: all slots 0."""
        shape, dtype = parameters.shape, parameters.dtype
        slots = {name: aligned_empty(shape, dtype) for name in self.slots}
        for slot in slots.values():
            slot.fill(0)
        return OptimizerState(0, slots, aligned_empty(shape, dtype))

    def step(
        self,
        parameters: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decayed: int,
    ) -> None:
        """Update the parameters and the state in place.

        Args:
            parameters: the parameter vector, or a range of it.
            gradient: the gradient of these parameters, overwritten.
            state: the optimizer's state for these parameters.
            learning_rate: the learning rate of this step.
            decayed: weight decay applies to the first `decayed` of these parameters.
        """
        state.step += 1
        if self.weight_decay:
            self._decay(parameters[:decayed], gradient[:decayed], state, learning_rate)
        self._update(parameters, gradient, state, learning_rate)
        if state.step % _flush_interval(self.slot_decay) == 0:
            for slot in state.slots.values():
                _flush(slot, state.scratch)
            if self.weight_decay:
                _flush(parameters[:decayed], state.scratch[:decayed])

    def _decay(self, p: Array, g: Array, state: OptimizerState, _learning_rate: float) -> None:
        shrink = state.scratch[: p.size]
        np.multiply(p, self.weight_decay, out=shrink)
        g += shrink

    @abstractmethod
    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None: ...


OPTIMIZERS: Registry[type[Optimizer]] = Registry("optimizer")


@OPTIMIZERS.register("sgd")
@dataclass(frozen=True)
class SGD(Optimizer):
    """p ← p - η v with v ← μ v + g; Nesterov's form takes g + μ v in place of v."""

    default_learning_rate = 0.1
    slots = ("velocity",)
    summary = "Steps down the gradient, optionally with momentum."
    source = (
        "Sutskever et al., On the Importance of Initialization and Momentum (ICML 2013), section 2"
    )

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def slot_decay(self) -> float:
        return self.momentum

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        direction = g
        if self.momentum:
            v = state.slots["velocity"]
            v *= self.momentum
            v += g
            if self.nesterov:
                np.multiply(v, self.momentum, out=state.scratch)
                g += state.scratch
            else:
                direction = v
        np.multiply(direction, learning_rate, out=g)
        p -= g


@OPTIMIZERS.register("rmsprop")
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """p ← p - η g / (√s + ε) with s ← 0.99 s + 0.01 g²."""

    default_learning_rate = 0.01
    slots = ("mean_square",)
    summary = "Divides each parameter's gradient by its recent size."
    source = "Tieleman, Hinton, Lecture 6.5 of Neural Networks for Machine Learning (2012)"

    smoothing: ClassVar[float] = 0.99
    epsilon: ClassVar[float] = 1e-8

    @property
    def slot_decay(self) -> float:
        return self.smoothing

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        s, scratch = state.slots["mean_square"], state.scratch
        np.multiply(g, g, out=scratch)
        scratch *= 1 - self.smoothing
        s *= self.smoothing
        s += scratch
        _divide_by_root(g, s, self.epsilon, scratch)
        g *= learning_rate
        p -= g


@OPTIMIZERS.register("adagrad")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """p ← p - η g / (√s + ε) with s ← s + g²."""

    default_learning_rate = 0.01
    slots = ("sum_of_squares",)
    summary = "Divides each parameter's gradient by its size so far; steps only shrink."
    source = "Duchi, Hazan, Singer, JMLR 12 (2011), section 1.3"

    epsilon: ClassVar[float] = 1e-10

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        s, scratch = state.slots["sum_of_squares"], state.scratch
        np.multiply(g, g, out=scratch)
        s += scratch
        _divide_by_root(g, s, self.epsilon, scratch)
        g *= learning_rate
        p -= g


@OPTIMIZERS.register("adam")
@dataclass(frozen=True)
class Adam(Optimizer):
    """p ← p - η m̂ / (√v̂ + ε): running means of g and g², corrected for their start at 0."""

    default_learning_rate = 0.001
    slots = ("sum", "sum_of_squares")
    summary = "Divides each parameter's momentum by the recent size of its gradient."
    source = "Kingma, Ba, Adam (ICLR 2015), algorithm 1"

    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: ClassVar[float] = 1e-8

    @property
    def slot_decay(self) -> float:
        return min(self.betas)

    def _update(self, p: Array, g: Array, state: OptimizerState, learning_rate: float) -> None:
        # The slots are decaying sums, M = m / (1 - β₁) and V = v / (1 - β₂). Two factors per step
        # turn them into the corrected means, which saves three passes over all parameters.
        m, v = state.slots["sum"], state.slots["sum_of_squares"]
        beta1, beta2 = self.betas
        mean_factor = (1 - beta1) / (1 - beta1**state.step)
        root_factor = math.sqrt((1 - beta2) / (1 - beta2**state.step))
        m *= beta1
        m += g
        v *= beta2
        v += np.multiply(g, g, out=g)
        np.sqrt(v, out=g)
        g += self.epsilon / root_factor
        np.divide(m, g, out=g)
        g *= learning_rate * mean_factor / root_factor
        p -= g


@OPTIMIZERS.register("adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay shrinks the weights directly: p ← (1 - η λ) p before the step."""

    default_weight_decay = 0.01
    summary = "Adam with a weight decay that its scaling does not distort."
    source = "Loshchilov, Hutter, Decoupled Weight Decay Regularization (ICLR 2019), algorithm 2"

    def _decay(self, p: Array, _g: Array, _state: OptimizerState, learning_rate: float) -> None:
        p *= 1 - learning_rate * self.weight_decay


def clip_by_norm(gradient: Array, limit: float, squares: float | None = None) -> None:
    """Scale the gradient in place so that its Euclidean norm is at most `limit`.

    Args:
        gradient: the whole gradient, or a range of it.
        limit: the largest norm.
        squares: the sum of squares of the whole gradient, if `gradient` is a range of it.

    Pascanu, Mikolov, Bengio, On the Difficulty of Training Recurrent Neural Networks (ICML 2013),
    algorithm 1; the 1e-6 is that of PyTorch's `clip_grad_norm_`.
    """
    norm = math.sqrt(np.vdot(gradient, gradient) if squares is None else squares)
    if norm > limit:
        gradient *= limit / (norm + 1e-6)


def _flush_interval(slot_decay: float) -> int:
    """Return the number of steps between flushes, in which no slot shrinks below 1e-8 of its value.

    Args:
        slot_decay: see `Optimizer.slot_decay`.
    """
    if not 0 < slot_decay < 1:
        return 100
    return min(100, max(1, int(8 / -math.log10(slot_decay))))


def _flush(values: Array, scratch: Array) -> None:
    """Set to 0 the values of a slot, or of decaying weights, that have become negligible.

    The gradient of a dead unit is 0, so its slots shrink by the same factor at each step. They
    would become denormal numbers, on which many processors are far slower, and rounding would keep
    them from reaching 0. Values above the limit stay clear of denormal numbers, even after
    multiplication by a small learning rate.
    """
    np.abs(values, out=scratch)
    np.greater(scratch, 1e-25, out=scratch)  # its square root is negligible next to ε
    np.multiply(values, scratch, out=values)


def _divide_by_root(g: Array, s: Array, epsilon: float, scratch: Array) -> None:
    """Divide in place: g ← g / (√s + ε)."""
    np.sqrt(s, out=scratch)
    scratch += epsilon
    g /= scratch
