"""A data set: its splits and its classes, from a name, a folder of IDX files or an `.npz`.

Which rows are held out for validation and which classes are kept is decided here, once; the images
stay as they came from their file.
"""

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actcli.datasets import idx, npz
from actcli.datasets.batches import NORMALIZATIONS, Normalization, Split, stable_permutation
from actcli.datasets.catalogue import DATASETS, find_dataset
from actcli.datasets.download import Progress, fetch
from actcli.datasets.npz import Examples, Pixels
from actcli.errors import DataError, UsageError
from actcli.registry import unknown_name

# The rows of the validation split depend on this and on nothing else: not on the training's seed.
VALIDATION_SEED = 20_240_601


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, ready for training.

    Args:
        name: of the catalogue, or of the folder or file.
        classes: the name of each class; their number is K.
        shape: of one image, (H, W) or (D,).
        train: the rows that are learnt from.
        validation: rows held out of the training rows; may be empty.
        test: the rows of the test files.
        normalization: how pixels become inputs; computed from the training split only.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    train: Split
    validation: Split
    test: Split
    normalization: Normalization

    @property
    def inputs(self) -> int:
        """D, the number of pixels of an image."""
        return math.prod(self.shape)

    @functools.cached_property
    def fingerprint(self) -> str:
        """A SHA-256 of all that a training depends on: pixels, labels, which rows are in a split.

        It is the same for the same data, wherever and however they are stored.
        """
        told = (self.classes, self.shape, self.normalization, str(self.train.pixels.dtype))
        digest = hashlib.sha256(repr(told).encode())
        for pixels in (self.train.pixels, self.test.pixels):  # validation shares those of training
            digest.update(pixels.data)
        for split in (self.train, self.validation, self.test):
            for indices in (split.rows, split.labels):
                digest.update(indices.astype("<i8").data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class RawDataset:
    """A data set as its files have it.

    Args:
        name: of the catalogue, or of the folder or file.
        known: what the labels are called, where that is known.
        train: the examples of the training files.
        test: those of the test files.
    """

    name: str
    known: dict[int, str]
    train: Examples
    test: Examples


def silent_progress(_name: str, _count: int, _total: int | None) -> None:
    """Report nothing."""


def load_dataset(
    source: str,
    *,
    validation: int | None = None,
    classes: Sequence[str] = (),
    normalize: str = "standard",
    progress: Progress = silent_progress,
) -> Dataset:
    """Load a data set.

    Args:
        source: a name of the catalogue; a folder with four IDX files; or an `.npz` file. A folder
            that is called like a name of the catalogue is meant by `./name`.
        validation: how many training rows to hold out; None for 5,000, or for a sixth of them where
            there are fewer than 10,000.
        classes: the names or labels of the classes to keep, in this order; none keeps all.
        normalize: a name of `NORMALIZATIONS`.
        progress: told of downloads.

    Raises:
        UsageError: there is no such source, class or normalization, or not that many rows.
        DataError: a file does not hold what it should, or cannot be downloaded.
    """
    raw = read_dataset(source, progress)
    return make_splits(raw, validation=validation, classes=classes, normalize=normalize)


def make_splits(
    raw: RawDataset,
    *,
    validation: int | None = None,
    classes: Sequence[str] = (),
    normalize: str = "standard",
) -> Dataset:
    """Make the splits of a data set that was read: see `load`.

    Raises:
        UsageError: there is no such class or normalization, or not that many rows.
        DataError: labels and images do not belong together.
    """
    normalization = NORMALIZATIONS[normalize]
    known, train, test = raw.known, raw.train, raw.test
    _check(train, test, known)
    values, indices = np.unique(train.y, return_inverse=True)
    names = tuple(known.get(value, str(value)) for value in values.tolist())
    picked = _pick(classes, names, values.tolist()) if classes else list(range(len(names)))
    position = np.full(len(names), -1, np.intp)
    position[picked] = np.arange(len(picked))
    kept = _select(train.x, indices, position)
    training, held_out = _hold_out(kept, _usual(len(kept)) if validation is None else validation)
    tested = _select(test.x, np.searchsorted(values, test.y), position)
    if not len(tested):
        raise DataError(f"{test.y_name} has none of the classes {', '.join(classes)}")
    return Dataset(
        name=raw.name,
        classes=tuple(names[index] for index in picked),
        shape=train.x.shape[1:],
        train=training,
        validation=held_out,
        test=tested,
        normalization=normalization(training),
    )


def read_dataset(source: str, progress: Progress = silent_progress) -> RawDataset:
    """Read the files of a data set: see `load`.

    Raises:
        UsageError: there is no such source.
        DataError: a file does not hold what it should, or cannot be downloaded.
    """
    if source in DATASETS:
        folder = find_dataset(source) or fetch(source, progress)
        return RawDataset(source, dict(enumerate(DATASETS[source].classes)), *_read_folder(folder))
    path = Path(source)
    try:
        if source and path.is_dir():  # an empty path is the current folder
            return RawDataset(path.resolve().name, {}, *_read_folder(path))
        if path.is_file():
            return RawDataset(path.stem, {}, *npz.read(path))
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from error
    unknown = unknown_name("data set, folder or file", source, DATASETS)
    raise UsageError(unknown.message, f"{unknown.hint}; a folder of IDX files; an .npz file")


def _read_folder(folder: Path) -> tuple[Examples, Examples]:
    train_images, train_labels, test_images, test_labels = idx.locate(folder)
    return _read_pair(train_images, train_labels), _read_pair(test_images, test_labels)


def _read_pair(images: Path, labels: Path) -> Examples:
    x, y = idx.read(images), idx.read(labels)
    if x.ndim not in {2, 3}:
        raise DataError(f"{images} holds numbers of shape {x.shape}", "Images are (N, H, W)")
    if y.ndim != 1:
        raise DataError(f"{labels} holds numbers of shape {y.shape}", "Labels are (N,)")
    return Examples(x, y.astype(np.int64), str(images), str(labels))


def _check(train: Examples, test: Examples, known: dict[int, str]) -> None:
    """Whether images, labels, training and test belong together, and the labels to the classes.

    A set that the catalogue knows has the classes that it has there, however it was come by; any
    other has those that occur in training.
    """
    for part in (train, test):
        if len(part.x) != len(part.y):
            raise DataError(
                f"{part.x_name} has {len(part.x):,} images, "
                f"but {part.y_name} has {len(part.y):,} labels"
            )
    for what, of_train, of_test in (
        ("images of shape", train.x.shape[1:], test.x.shape[1:]),
        ("pixels of type", train.x.dtype, test.x.dtype),
    ):
        if of_train != of_test:
            raise DataError(
                f"{train.x_name} has {what} {of_train}, but {test.x_name} has {of_test}"
            )
    for part in (train, test) if known else ():
        if fault := _first_outside(part, list(known)):
            raise DataError(fault, f"The classes are {min(known)} to {max(known)}")
    occurring = np.unique(train.y)
    if len(occurring) < 2:
        raise DataError(f"{train.y_name} holds a single class, {train.y[0]}")
    if fault := _first_outside(test, occurring):
        raise DataError(fault, f"The classes are the labels in {train.y_name}")


def _first_outside(part: Examples, classes: NDArray[np.int64] | list[int]) -> str | None:
    """What is wrong with the first label that is none of the classes, if there is one."""
    for row in np.flatnonzero(~np.isin(part.y, classes))[:1].tolist():
        return f"{part.y_name}: the label {part.y[row]} at row {row} is not a class"
    return None


def _pick(classes: Sequence[str], names: Sequence[str], values: Sequence[int]) -> list[int]:
    """Which classes are meant, each by its name or else by its label."""
    index = {str(value): i for i, value in enumerate(values)}
    index |= {name: i for i, name in enumerate(names)}
    picked: list[int] = []
    for wanted in classes:
        if wanted not in index:
            raise unknown_name("class", wanted, names)
        if index[wanted] in picked:
            raise UsageError(f"classes: {wanted!r} is chosen twice")
        picked.append(index[wanted])
    if len(picked) < 2:
        raise UsageError(
            f"classes: {classes[0]!r} alone cannot be told from others", "Choose two or more"
        )
    return picked


def _select(x: Pixels, indices: NDArray[np.intp], position: NDArray[np.intp]) -> Split:
    """The rows whose class is kept: whose `position`, the new class index, is not negative."""
    labels = position[indices]
    rows = np.flatnonzero(labels >= 0)
    return Split(x.reshape(len(x), -1), labels[rows], rows)


def _usual(rows: int) -> int:
    return 5000 if rows >= 10_000 else rows // 6


def _hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """What stays, and `count` rows picked at random, always the same ones."""
    if not 0 <= count < len(split):
        raise UsageError(
            f"validation = {count}: there are {len(split):,} training rows",
            f"Allowed: 0 to {len(split) - 1:,}",
        )
    order = stable_permutation(len(split), VALIDATION_SEED)
    return split.part(np.sort(order[count:])), split.part(np.sort(order[:count]))
