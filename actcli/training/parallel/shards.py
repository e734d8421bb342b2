"""Shards: the parameter vector, cut into ranges that workers update independently.

A row of ∂L/∂W^T = y^T δ belongs to one input and needs only the column of y for that input. An
optimizer updates each parameter separately. So a shard holds, for each layer, all weights of a
range of inputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """A range of the parameter vector.

    Args:
        span: the range.
        columns: for each layer, the inputs whose weights lie in the range.
        biases: whether the range includes the biases of all layers; it does in the last shard.
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
    """Return, for each layer, the first input after the first `weights` weights of the vector.

    Args:
        shapes: (units, inputs) of each layer.
        weights: number of weights; it is rounded to whole inputs.
    """
    firsts, start = [], 0
    for units, inputs in shapes:
        firsts.append(min(max(round((weights - start) / units), 0), inputs))
        start += units * inputs
    return firsts


def _position(shapes: Sequence[tuple[int, int]], firsts: Sequence[int]) -> int:
    """Return the position in the parameter vector where the weights of these inputs start."""
    return sum(first * units for first, (units, _) in zip(firsts, shapes, strict=True))
