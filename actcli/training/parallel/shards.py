"""Shards: the parameter vector, cut into ranges that workers update independently.

A row of ∂L/∂W^T = y^T δ belongs to one input and needs only that column of y, and an optimizer
updates each parameter by itself. So a shard is all weights of some inputs of each layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """A range of the parameter vector.

    Args:
        span: the range.
        columns: for each layer, the inputs whose weights lie in it.
        biases: whether the biases of all layers lie in it; they do in the last shard.
    """

    span: slice
    columns: tuple[slice, ...]
    biases: bool


def cut_shards(shapes: Sequence[tuple[int, int]], count: int) -> tuple[Shard, ...]:
    """Return `count` shards with about the same number of weights.

    Args:
        shapes: (units, inputs) of each layer.
        count: the number of shards.
    """
    weights = sum(units * inputs for units, inputs in shapes)
    firsts = [_first_columns(shapes, weights * number / count) for number in range(count + 1)]
    starts = [_position(shapes, columns) for columns in firsts]
    starts[-1] += sum(units for units, _ in shapes)  # the biases follow the weights
    return tuple(
        Shard(
            span=slice(starts[number], starts[number + 1]),
            columns=tuple(map(slice, firsts[number], firsts[number + 1])),
            biases=number == count - 1,
        )
        for number in range(count)
    )


def _first_columns(shapes: Sequence[tuple[int, int]], weights: float) -> list[int]:
    """Return, for each layer, the first input that lies behind about `weights` weights."""
    firsts, start = [], 0
    for units, inputs in shapes:
        firsts.append(min(max(round((weights - start) / units), 0), inputs))
        start += units * inputs
    return firsts


def _position(shapes: Sequence[tuple[int, int]], firsts: Sequence[int]) -> int:
    """Return where the weights of these inputs start in the parameter vector."""
    return sum(first * units for first, (units, _) in zip(firsts, shapes, strict=True))
