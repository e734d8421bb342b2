"""Splits, normalizations and mini-batches: the path from stored pixels to inputs of a network.

All splits share one array of pixels, which is never copied. A split is a list of row numbers. A
mini-batch gathers its rows into a buffer and converts them there, so that MNIST takes 55 MB of
memory as bytes instead of 220 MB as float32.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.raw import Pixels
from actcli.nn.active_columns import ActiveColumns, Inputs, find_active_columns
from actcli.nn.arrays import Allocate, Array, Labels, aligned_empty
from actcli.registry import Registry

SAMPLE_SEED = 20_150_107  # arbitrary, but fixed: every run samples the same rows

STATISTICS_ROWS = 256  # rows converted to float64 at a time to compute mean and deviation


@dataclass(frozen=True, eq=False)
class Split:
    """N rows of an array of images. The array is shared between splits and never copied.

    Args:
        pixels: all images, shape (M, D), in the type of their file.
        labels: the class index, 0 to K - 1, of each row of the split, shape (N,).
        rows: the row numbers in `pixels`, ascending, shape (N,).
    """

    pixels: Pixels
    labels: NDArray[np.intp]
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, positions: slice | NDArray[np.intp]) -> "Split":
        """Return a split with the rows at these positions, which count from 0 to N - 1."""
        return Split(self.pixels, self.labels[positions], self.rows[positions])

    def sample(self, count: int) -> "Split":
        """Return a fixed random sample of `count` rows, or all rows if there are fewer."""
        return self.subset(np.sort(stable_permutation(len(self), SAMPLE_SEED)[:count]))


def stable_permutation(count: int, seed: int) -> NDArray[np.intp]:
    """Return a random permutation of 0 to count - 1 that is the same in every version of NumPy."""
    # NumPy promises that the raw stream of PCG64 never changes; `permutation` may change.
    return np.random.PCG64(seed).random_raw(count).argsort(kind="stable")


@dataclass(frozen=True)
class Normalization:
    """The map from a pixel x to an input of the network: (x - shift) * scale.

    Args:
        method: the name in `NORMALIZATIONS`.
        shift: subtracted from each pixel: one number, or one for each column of the rows.
        scale: multiplies the shifted pixel: one number, or one for each column of the rows.
    """

    method: str
    shift: float | tuple[float, ...]
    scale: float | tuple[float, ...]

    @functools.cached_property
    def _columns(self) -> tuple[Array, Array]:
        return np.array(self.shift), np.array(self.scale)

    @property
    def is_by_column(self) -> bool:
        """Whether each column of the rows has its own shift and scale."""
        return isinstance(self.shift, tuple)

    def apply(self, pixels: Pixels, out: Array) -> None:
        """Write the normalized pixels to `out`, an array of the same shape, in its precision."""
        if self.is_by_column:
            shift, scale = self._columns
            # Before rounding to the precision of `out`: small changes of a large number count.
            np.multiply(np.subtract(pixels, shift), scale, out=out, casting="same_kind")
            return
        np.copyto(out, pixels)
        if self.shift != 0.0:
            out -= self.shift
        if self.scale != 1.0:
            out *= self.scale


class Batches:
    """The mini-batches of a split, in buffers that are allocated once.

    Calling the object makes one pass over the split and yields the inputs (n, D) and labels (n,) of
    each mini-batch. n is the batch size; the last mini-batch may be smaller. The inputs are a view
    of a buffer that the next mini-batch overwrites.

    Args:
        split: the rows to iterate over.
        normalization: converts pixels to inputs.
        batch_size: number of rows of a mini-batch.
        dtype: the dtype of the inputs.
        allocate: makes the buffer of the inputs, for example in shared memory.
    """

    def __init__(
        self,
        split: Split,
        normalization: Normalization,
        batch_size: int,
        dtype: type[np.float32] | type[np.float64] = np.float32,
        allocate: Allocate = aligned_empty,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        self.split = split
        self.normalization = normalization
        self.batch_size = batch_size
        shape = (min(batch_size, len(split)), split.pixels.shape[1])
        self._pixels: Pixels = aligned_empty(shape, split.pixels.dtype)
        self._active_pixels: Pixels = aligned_empty(shape, split.pixels.dtype)
        self.inputs: Array = allocate(shape, np.dtype(dtype))

    def __len__(self) -> int:
        return math.ceil(len(self.split) / self.batch_size)

    def __call__(
        self, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[Array, Labels]]:
        """Yield the inputs and labels of each mini-batch; see `order` for the arguments."""
        for rows, labels in self.order(rng, skip):
            self.load(rows)
            yield self.inputs[: len(rows)], labels

    def order(
        self, rng: np.random.Generator | None = None, skip: int = 0
    ) -> Iterator[tuple[NDArray[np.intp], Labels]]:
        """Yield the row numbers in `pixels` and the labels of each mini-batch, without loading it.

        Args:
            rng: shuffles the rows; None for the order of the split.
            skip: number of mini-batches to leave out at the start, for a resumed epoch.
        """
        rows, labels = self.split.rows, self.split.labels
        if rng is not None:
            order = rng.permutation(len(rows))
            rows, labels = rows[order], labels[order]
        for start in range(skip * self.batch_size, len(rows), self.batch_size):
            batch = slice(start, start + self.batch_size)
            yield rows[batch], labels[batch]

    def load(
        self,
        rows: NDArray[np.intp],
        part: slice | None = None,
        scratch: Array | None = None,
    ) -> Inputs:
        """Gather and normalize the rows of a mini-batch, or a part of them.

        Args:
            rows: the row numbers in `pixels` of the whole mini-batch, shape (N,).
            part: the positions that this worker loads, while other workers load the rest; None for
                all.
            scratch: the scratch of `ActiveColumns`. If it is given, and pixels that are 0 stay 0,
                the columns that are 0 in every row are left out.

        Returns:
            The inputs of the whole mini-batch, shape (N, D), or its active columns.
        """
        count = len(rows)
        part = part or slice(0, count)
        if scratch is None or self.normalization.shift:  # a shifted 0 is not 0
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
        # In its default mode, `take` would gather into a temporary buffer first.
        return np.take(self.split.pixels, rows, axis=0, out=pixels, mode="clip")


NORMALIZATIONS: Registry[Callable[[Split], Normalization]] = Registry("normalization")


@NORMALIZATIONS.register("standard")
def standard(train: Split) -> Normalization:
    """Return a map to mean 0 and standard deviation 1, over all pixels of the training split.

    If all pixels are equal within the precision of float32, they are only shifted.
    """
    mean, deviation = _mean_and_deviation(train)
    limits = np.finfo(np.float32)
    constant = deviation <= max(float(limits.eps) * abs(mean), float(limits.tiny))
    return Normalization("standard", mean, 1.0 if constant else 1.0 / deviation)


@NORMALIZATIONS.register("unit")
def unit(train: Split) -> Normalization:
    """Return a map to [0, 1], from [0, 255] for bytes and from the training range for floats."""
    if train.pixels.dtype == np.uint8:
        return Normalization("unit", 0.0, 1.0 / 255.0)
    extremes = [(float(x.min()), float(x.max())) for x in _float64_chunks(train)]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    return Normalization("unit", low, 1.0 / (high - low) if high > low else 1.0)


@NORMALIZATIONS.register("column")
def column(train: Split) -> Normalization:
    """Return a map of each column to mean 0 and deviation 1 over the training rows, for tables.

    A column that is constant within the precision of float32 is only shifted.
    """
    mean = np.zeros(train.pixels.shape[1])
    for x in _float64_rows(train):
        mean += x.sum(axis=0)
    mean /= len(train)
    squares = np.zeros_like(mean)
    for x in _float64_rows(train):
        np.subtract(x, mean, out=x)
        squares += np.square(x, out=x).sum(axis=0)
    deviation = np.sqrt(squares / len(train))
    limits = np.finfo(np.float32)
    constant = deviation <= np.maximum(float(limits.eps) * np.abs(mean), float(limits.tiny))
    scale = 1 / np.where(constant, 1, deviation)
    return Normalization("column", tuple(mean.tolist()), tuple(scale.tolist()))


@NORMALIZATIONS.register("none")
def none(_: Split) -> Normalization:
    """Return the identity: bytes stay 0 to 255."""
    return Normalization("none", 0.0, 1.0)


def _float64_chunks(split: Split) -> Iterator[Array]:
    """Yield the pixels of a split in float64, `STATISTICS_ROWS` rows at a time, in one buffer."""
    for x in _float64_rows(split):
        yield x.reshape(-1)


def _float64_rows(split: Split) -> Iterator[Array]:
    """Yield the rows of a split in float64, `STATISTICS_ROWS` at a time, in one buffer."""
    for x, _ in Batches(split, Normalization("none", 0.0, 1.0), STATISTICS_ROWS, np.float64)():
        yield x


def _mean_and_deviation(split: Split) -> tuple[float, float]:
    """Return the mean and the standard deviation of all pixels.

    For bytes the sums are exact; for floats, a second pass over the pixels avoids cancellation.
    """
    count = split.pixels.shape[1] * len(split)
    # Sums instead of dot products: BLAS would wake its threads for each of the small chunks.
    total = squares = 0.0
    for x in _float64_chunks(split):
        total += float(x.sum())
        squares += float(np.square(x, out=x).sum())
    mean = total / count
    if split.pixels.dtype == np.uint8:
        # The sums are whole numbers below 2**53, so float64 has not rounded them. Python's integers
        # keep the difference of the two large products exact.
        return mean, math.sqrt(count * int(squares) - int(total) ** 2) / count
    deviations = 0.0
    for x in _float64_chunks(split):
        np.subtract(x, mean, out=x)
        deviations += float(np.square(x, out=x).sum())
    return mean, math.sqrt(deviations / count)
