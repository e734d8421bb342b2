"""From bytes to inputs: which rows of the images, how a pixel becomes a number, and batches of
them.

The images are never copied. A split is a list of rows; a batch gathers its rows into a buffer and
converts them there. So MNIST takes 55 MB, where float32 would take 220.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.npz import Pixels
from actcli.nn.active_columns import ActiveColumns, Inputs, find_active_columns
from actcli.nn.arrays import Allocate, Array, Labels
from actcli.registry import Registry

SAMPLE_SEED = 20_150_107  # any number, but always the same

CHUNK = 256  # rows that statistics are gathered from at a time


@dataclass(frozen=True, eq=False)
class Split:
    """Some rows of an array of images, which is shared and never copied.

    Args:
        pixels: (M, D), as in the file.
        labels: (N,), class indices from 0 to K - 1, one for each of the rows.
        rows: (N,), which rows of the pixels, ascending.
    """

    pixels: Pixels
    labels: NDArray[np.intp]
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: slice | NDArray[np.intp]) -> "Split":
        """Some of its rows, by their positions in it."""
        return Split(self.pixels, self.labels[chosen], self.rows[chosen])

    def sample(self, count: int) -> "Split":
        """So many of its rows, or all if it has no more: at random, but always the same ones."""
        return self.part(np.sort(stable_permutation(len(self), SAMPLE_SEED)[:count]))


def stable_permutation(count: int, seed: int) -> NDArray[np.intp]:
    """The numbers from 0 to count - 1 at random, but with every version of NumPy the same."""
    # That the raw stream of PCG64 never changes is promised, and is not for `permutation`.
    return np.random.PCG64(seed).random_raw(count).argsort(kind="stable")


@dataclass(frozen=True)
class Normalization:
    """How a pixel x becomes an input: (x - shift) * scale, with the same numbers for all pixels."""

    method: str
    shift: float
    scale: float

    def apply(self, pixels: Pixels, out: Array) -> None:
        """Convert pixels, in the precision of `out` and into it. Both have the same shape."""
        np.copyto(out, pixels)
        if self.shift != 0.0:
            out -= self.shift
        if self.scale != 1.0:
            out *= self.scale


class Batches:
    """The batches of a split, in buffers that are allocated once.

    Call it for one pass over the split: in order, or shuffled if given a random generator; without
    the first batches, if they have been seen. Each batch is x (n, D) and labels (n,), where n is
    the batch size, or less for the last. x is a view of the buffer, good until the next batch.
    """

    def __init__(
        self,
        split: Split,
        normalization: Normalization,
        batch_size: int,
        dtype: type[np.float32] | type[np.float64] = np.float32,
        allocate: Allocate = np.empty,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} rows")
        self.split = split
        self.normalization = normalization
        self.batch_size = batch_size
        shape = (min(batch_size, len(split)), split.pixels.shape[1])
        self._pixels = np.empty(shape, split.pixels.dtype)
        self._active_pixels = np.empty_like(self._pixels)
        self.inputs: Array = allocate(shape, np.dtype(dtype))

    def __len__(self) -> int:
        return math.ceil(len(self.split) / self.batch_size)

    def __call__(
        self, rng: np.random.Generator | None = None, seen: int = 0
    ) -> Iterator[tuple[Array, Labels]]:
        for rows, labels in self.order(rng, seen):
            self.load(rows)
            yield self.inputs[: len(rows)], labels

    def order(
        self, rng: np.random.Generator | None = None, seen: int = 0
    ) -> Iterator[tuple[NDArray[np.intp], Labels]]:
        """The same pass, but of each batch only which rows of the pixels it has: see `load`."""
        rows, labels = self.split.rows, self.split.labels
        if rng is not None:
            order = rng.permutation(len(rows))
            rows, labels = rows[order], labels[order]
        for start in range(seen * self.batch_size, len(rows), self.batch_size):
            batch = slice(start, start + self.batch_size)
            yield rows[batch], labels[batch]

    def load(
        self,
        rows: NDArray[np.intp],
        part: slice | None = None,
        scratch: Array | None = None,
    ) -> Inputs:
        """Gather and normalize the rows of a mini-batch, or some of them.

        Args:
            rows: which rows of the pixels are in the mini-batch, shape (N,).
            part: which of these this process loads; other workers load the others.
            scratch: of `ActiveColumns`; with it, columns that are 0 in all rows are left out.

        Returns:
            The inputs of the whole mini-batch, shape (N, D), or its active columns.
        """
        count = len(rows)
        part = part or slice(0, count)
        if scratch is None or self.normalization.shift:  # once shifted, 0 is not 0 any more
            self.normalization.apply(self._gather(rows[part]), self.inputs[part])
            return self.inputs[:count]
        pixels = self._gather(rows)
        columns = find_active_columns(pixels)
        shape = part.stop - part.start, len(columns)
        active = self._active_pixels.reshape(-1)[: math.prod(shape)].reshape(shape)
        np.take(pixels[part], columns, axis=1, out=active, mode="clip")
        values = self.inputs.reshape(-1)[: count * len(columns)].reshape(count, len(columns))
        self.normalization.apply(active, values[part])
        return ActiveColumns(values, columns, scratch)

    def _gather(self, rows: NDArray[np.intp]) -> Pixels:
        pixels = self._pixels[: len(rows)]
        # With its default mode, `take` gathers into a second buffer first.
        return np.take(self.split.pixels, rows, axis=0, out=pixels, mode="clip")


NORMALIZATIONS: Registry[Callable[[Split], Normalization]] = Registry("normalization")


@NORMALIZATIONS.register("standard")
def standard(train: Split) -> Normalization:
    """Mean 0 and standard deviation 1 over all pixels of the training split (not each by itself).

    Pixels that are all alike, to the precision of float32, are only shifted.
    """
    mean, deviation = _moments(train)
    limits = np.finfo(np.float32)
    alike = deviation <= max(float(limits.eps) * abs(mean), float(limits.tiny))
    return Normalization("standard", mean, 1.0 if alike else 1.0 / deviation)


@NORMALIZATIONS.register("unit")
def unit(train: Split) -> Normalization:
    """Into [0, 1]: bytes are divided by 255, floats by the range of the training split."""
    if train.pixels.dtype == np.uint8:
        return Normalization("unit", 0.0, 1.0 / 255.0)
    extremes = [(float(x.min()), float(x.max())) for x in _unchanged(train)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    return Normalization("unit", low, 1.0 / (high - low) if high > low else 1.0)


@NORMALIZATIONS.register("none")
def none(_: Split) -> Normalization:
    """Pixels as they are: bytes from 0 to 255."""
    return Normalization("none", 0.0, 1.0)


def _unchanged(split: Split) -> Iterator[Array]:
    """The pixels of a split in float64, some rows at a time, in a buffer."""
    for x, _ in Batches(split, Normalization("none", 0.0, 1.0), CHUNK, np.float64)():
        yield x.reshape(-1)


def _moments(split: Split) -> tuple[float, float]:
    """Mean and standard deviation over all pixels: exact for bytes, in two passes for floats."""
    count = split.pixels.shape[1] * len(split)
    # Sums, and no dot products: BLAS would wake its threads for each of the small pieces.
    total = squares = 0.0
    for x in _unchanged(split):
        total += float(x.sum())
        squares += float(np.square(x, out=x).sum())
    mean = total / count
    if split.pixels.dtype == np.uint8:
        # Whole numbers below 2**53, so that float64 has rounded none of the sums; Python's integers
        # keep the difference of the two large products exact.
        return mean, math.sqrt(count * int(squares) - int(total) ** 2) / count
    deviations = 0.0
    for x in _unchanged(split):
        np.subtract(x, mean, out=x)
        deviations += float(np.square(x, out=x).sum())
    return mean, math.sqrt(deviations / count)
