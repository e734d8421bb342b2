"""Shares: the parameter vector, cut for those who collect and update a stretch of it each.

∂L/∂W^T = y^T δ has a row for each input, which needs that input alone of y; and what an optimizer
does to a parameter depends on no other. So who has the weights of some inputs needs nobody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """A stretch of the parameter vector: all weights of some inputs; the last has the biases."""

    span: slice
    inputs: tuple[slice, ...]  # of each layer, those whose weights lie in it
    biases: bool  # whether those of all layers lie in it


def cut_shards(shapes: Sequence[tuple[int, int]], count: int) -> tuple[Shard, ...]:
    """That many shares of about the same number of weights.

    Args:
        shapes: (units, inputs) of each layer.
        count: how many.
    """
    weights = sum(units * inputs for units, inputs in shapes)
    firsts = [_first_inputs(shapes, weights * number / count) for number in range(count + 1)]
    starts = [_position(shapes, each) for each in firsts]
    starts[-1] += sum(units for units, _ in shapes)  # the biases follow the weights
    return tuple(
        Shard(
            span=slice(starts[number], starts[number + 1]),
            inputs=tuple(map(slice, firsts[number], firsts[number + 1])),
            biases=number == count - 1,
        )
        for number in range(count)
    )


def _first_inputs(shapes: Sequence[tuple[int, int]], weights: float) -> list[int]:
    """Of each layer, the first input that lies behind so many weights of the vector, nearly."""
    firsts, start = [], 0
    for units, inputs in shapes:
        firsts.append(min(max(round((weights - start) / units), 0), inputs))
        start += units * inputs
    return firsts


def _position(shapes: Sequence[tuple[int, int]], firsts: Sequence[int]) -> int:
    """Where the weights of these inputs start in the vector."""
    return sum(first * units for first, (units, _) in zip(firsts, shapes, strict=True))
