"""A data set: its splits and its classes, from a name, a folder of IDX files, `.npz` or CSV.

Only this module decides which rows are held out for validation and which classes are kept. The
images stay in memory as they were read: every split refers to the same array by its row numbers.
"""

import functools
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from actcli.datasets import idx
from actcli.datasets.batches import NORMALIZATIONS, Normalization, Split, stable_permutation
from actcli.datasets.catalogue import DATASETS, find_dataset
from actcli.datasets.download import Progress, fetch
from actcli.datasets.file_formats import no_columns, read_file
from actcli.datasets.layout import LAST, MIN_IMAGE_SIDE, square_side
from actcli.datasets.raw import Pixels, RawDataset, RawSplit
from actcli.datasets.tables import automatic_normalization, is_table
from actcli.errors import DataError, UsageError
from actcli.registry import unknown_name

# The validation rows depend on this seed alone, not on the seed of the training, so that runs with
# different seeds can be compared on the same rows.
VALIDATION_SEED = 20_240_601

AUTO = "auto"  # the normalization that suits the data


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set that is split and ready for training.

    Args:
        name: the name in the catalogue, or of the folder or file.
        classes: the names of the K classes.
        shape: the shape of one image, (H, W) or (D,).
        train: the training split.
        validation: rows of the training files that are held out; may be empty.
        test: the rows of the test files.
        normalization: turns pixels into inputs; computed from the training split only.
        notes: sentences about how a table was read and split, for the user.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    train: Split
    validation: Split
    test: Split
    normalization: Normalization
    notes: tuple[str, ...] = ()

    @property
    def inputs(self) -> int:
        """D, the number of pixels of an image."""
        return math.prod(self.shape)

    @property
    def image_shape(self) -> tuple[int, int]:
        """The shape of one image, (H, W); rows of D pixels form a square.

        Raises:
            UsageError: the rows are not images.
        """
        if len(self.shape) == 2:
            return self.shape[0], self.shape[1]
        if (side := square_side(self.inputs)) >= MIN_IMAGE_SIDE:
            return side, side
        raise UsageError(
            f"the rows of {self.name} are not images: they have {self.inputs} numbers",
            "To show a row of the data set: --index",
        )

    @functools.cached_property
    def is_table(self) -> bool:
        """Whether the rows are those of a table, and not images."""
        return is_table(self.shape, self.train)

    @functools.cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of everything that a training depends on: pixels, labels and splits.

        The same data give the same fingerprint, wherever and however they are stored.
        """
        facts = (self.classes, self.shape, self.normalization, str(self.train.pixels.dtype))
        digest = hashlib.sha256(repr(facts).encode())
        for pixels in (self.train.pixels, self.test.pixels):  # validation shares training's pixels
            digest.update(pixels.data)
        for split in (self.train, self.validation, self.test):
            for indices in (split.rows, split.labels):
                digest.update(indices.astype("<i8").data)
        return digest.hexdigest()


def ignore_progress(_name: str, _count: int, _total: int | None) -> None:
    """Ignore the progress of a download."""


def load_dataset(
    source: str,
    *,
    validation: int | None = None,
    classes: Sequence[str] = (),
    normalize: str = AUTO,
    target: str = LAST,
    progress: Progress = ignore_progress,
) -> Dataset:
    """Load a data set and split it.

    Args:
        source: a name in the catalogue, a folder with four IDX files, an `.npz` file, or a CSV
            file. `./name` is a folder even if the catalogue has a data set of that name.
        validation: number of training rows to hold out. None holds out 5,000, or a sixth of the
            training rows if there are fewer than 10,000.
        classes: the names or labels of the classes to keep, in this order; an empty sequence keeps
            all.
        normalize: a name in `NORMALIZATIONS`, or "auto".
        target: the column of the labels in a CSV file: its name or number, or "last".
        progress: called with the progress of a download.

    Raises:
        UsageError: the source, a class or the normalization is unknown, or `validation` is out of
            range.
        DataError: a file is damaged or does not fit the others, or a download failed.
    """
    raw = read_dataset(source, progress, target)
    return make_splits(raw, validation=validation, classes=classes, normalize=normalize)


def make_splits(
    raw: RawDataset,
    *,
    validation: int | None = None,
    classes: Sequence[str] = (),
    normalize: str = AUTO,
) -> Dataset:
    """Select classes, hold out validation rows and compute the normalization.

    Args:
        raw: the data set as it was read.
        validation: see `load_dataset`.
        classes: see `load_dataset`.
        normalize: see `load_dataset`.

    Raises:
        UsageError: a class or the normalization is unknown, or `validation` is out of range.
        DataError: images and labels do not belong together.
    """
    if normalize != AUTO:
        NORMALIZATIONS[normalize]  # raises for an unknown name
    train, test = raw.train, raw.test
    _require_consistent(raw)
    labels, label_indices = np.unique(train.y, return_inverse=True)
    names = tuple(raw.class_names.get(label, str(label)) for label in labels.tolist())
    kept = _class_indices(classes, names, labels.tolist()) if classes else list(range(len(names)))
    new_index = np.full(len(names), -1, np.intp)  # -1: the class is not kept
    new_index[kept] = np.arange(len(kept))
    all_train = _select_rows(train.x, new_index[label_indices])
    test_split = _select_rows(test.x, new_index[np.searchsorted(labels, test.y)])
    held_out = default_validation_rows(len(all_train)) if validation is None else validation
    train_split, validation_split = _hold_out(all_train, held_out)
    if not len(test_split):
        raise DataError(f"{test.y_name} has none of the classes {', '.join(classes)}")
    shape = train.x.shape[1:]
    method = automatic_normalization(shape, train_split) if normalize == AUTO else normalize
    return Dataset(
        name=raw.name,
        classes=tuple(names[index] for index in kept),
        shape=shape,
        train=train_split,
        validation=validation_split,
        test=test_split,
        normalization=NORMALIZATIONS[method](train_split),
        notes=raw.notes,
    )


def read_dataset(
    source: str, progress: Progress = ignore_progress, target: str = LAST
) -> RawDataset:
    """Read the files of a data set. A data set of the catalogue is downloaded if it is missing.

    Args:
        source: see `load_dataset`.
        progress: see `load_dataset`.
        target: see `load_dataset`.

    Raises:
        UsageError: no data set, folder, file or column has that name.
        DataError: a file is damaged or a download failed.
    """
    path = Path(source)
    if target != LAST and (source in DATASETS or path.is_dir()):
        raise no_columns(source)
    if source in DATASETS:
        folder = find_dataset(source) or fetch(source, progress)
        return RawDataset(source, dict(enumerate(DATASETS[source].classes)), *_read_folder(folder))
    try:
        if source and path.is_dir():  # an empty path would be the current folder
            return RawDataset(path.resolve().name, {}, *_read_folder(path))
        if path.is_file():
            return read_file(path, target)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from error
    unknown = unknown_name("data set, folder or file", source, DATASETS)
    raise UsageError(
        unknown.message, f"{unknown.hint}; a folder of IDX files; an .npz or a CSV file"
    )


def _read_folder(folder: Path) -> tuple[RawSplit, RawSplit]:
    train_images, train_labels, test_images, test_labels = idx.locate_files(folder)
    return _read_pair(train_images, train_labels), _read_pair(test_images, test_labels)


def _read_pair(images: Path, labels: Path) -> RawSplit:
    x, y = idx.read_idx(images), idx.read_idx(labels)
    if x.ndim not in {2, 3}:
        raise DataError(f"{images} holds numbers of shape {x.shape}", "Images are (N, H, W)")
    if y.ndim != 1:
        raise DataError(f"{labels} holds numbers of shape {y.shape}", "Labels are (N,)")
    return RawSplit(x, y.astype(np.int64), str(images), str(labels))


def _require_consistent(raw: RawDataset) -> None:
    """Raise `DataError` if images, labels, training and test files do not fit together.

    A data set of the catalogue has the classes of its entry, wherever its files lie. Any other data
    set has the classes that occur in its training labels.
    """
    train, test = raw.train, raw.test
    for split in (train, test):
        if len(split.x) != len(split.y):
            raise DataError(
                f"{split.x_name} has {len(split.x):,} images, "
                f"but {split.y_name} has {len(split.y):,} labels"
            )
    for property_name, train_value, test_value in (
        ("images of shape", train.x.shape[1:], test.x.shape[1:]),
        ("pixels of type", train.x.dtype, test.x.dtype),
    ):
        if train_value != test_value:
            raise DataError(
                f"{train.x_name} has {property_name} {train_value}, "
                f"but {test.x_name} has {test_value}"
            )
    if raw.class_names and raw.name in DATASETS:
        labels = list(raw.class_names)
        for split in (train, test):
            _require_labels(raw, split, labels, f"The classes are {min(labels)} to {max(labels)}")
    occurring = np.unique(train.y)
    if len(occurring) < 2:
        name = raw.class_names.get(int(train.y[0]), train.y[0])
        raise DataError(f"{train.y_name} holds a single class, {name}")
    _require_labels(raw, test, occurring, f"The classes are the labels in {train.y_name}")


def _require_labels(
    raw: RawDataset, split: RawSplit, allowed: NDArray[np.int64] | list[int], hint: str
) -> None:
    """Raise `DataError` for the first label that is not allowed."""
    for row in np.flatnonzero(~np.isin(split.y, allowed))[:1].tolist():
        label = split.y[row]
        raise DataError(
            f"{split.y_name}: the label {raw.class_names.get(int(label), label)} at row {row} is "
            "not a class",
            hint,
        )


def _class_indices(
    classes: Sequence[str], names: Sequence[str], labels: Sequence[int]
) -> list[int]:
    """Return the indices of the classes that a user lists, each by its name or by its label."""
    index = {str(label): i for i, label in enumerate(labels)}
    index |= {name: i for i, name in enumerate(names)}
    indices: list[int] = []
    for name in classes:
        if name not in index:
            raise unknown_name("class", name, names)
        if index[name] in indices:
            raise UsageError(f"classes: {name!r} is chosen twice")
        indices.append(index[name])
    if len(indices) < 2:
        raise UsageError(f"classes: {classes[0]!r} is the only class", "Choose two or more")
    return indices


def _select_rows(x: Pixels, labels: NDArray[np.intp]) -> Split:
    """Return the rows whose label is not negative."""
    rows = np.flatnonzero(labels >= 0)
    return Split(x.reshape(len(x), -1), labels[rows], rows)


def default_validation_rows(rows: int) -> int:
    """Return the number of training rows that are held out by default."""
    return 5000 if rows >= 10_000 else rows // 6


def _hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """Return the remaining rows, and `count` held-out rows: a fixed random sample."""
    if not 0 <= count < len(split):
        raise UsageError(
            f"validation = {count}: there are {len(split):,} training rows",
            f"Allowed: 0 to {len(split) - 1:,}",
        )
    order = stable_permutation(len(split), VALIDATION_SEED)
    return split.subset(np.sort(order[count:])), split.subset(np.sort(order[:count]))
