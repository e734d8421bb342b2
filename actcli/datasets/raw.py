"""A data set as its files hold it, before classes are selected and rows are held out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.float32]
Source = tuple[str, str]  # the name of a data set or the path of its file, and its target


@dataclass(frozen=True, eq=False)
class RawSplit:
    """Images and labels of the training or the test split, as their files hold them.

    Args:
        x: images or rows of a table, shape (N, D) or (N, H, W).
        y: labels, any whole numbers, shape (N,).
        x_name: the origin of x, for messages.
        y_name: the origin of y, for messages.
    """

    x: Pixels
    y: NDArray[np.int64]
    x_name: str
    y_name: str


@dataclass(frozen=True, eq=False)
class RawDataset:
    """A data set as its files hold it, before classes are selected and rows are held out.

    Args:
        name: the name in the catalogue, or of the folder or file.
        class_names: label -> name of the class; empty if the names are the labels themselves.
        train: the images and labels of the training files.
        test: the images and labels of the test files.
        notes: sentences about how a table was read and split, for the user.
    """

    name: str
    class_names: dict[int, str]
    train: RawSplit
    test: RawSplit
    notes: tuple[str, ...] = ()


def number_classes(*labels: NDArray[np.str_]) -> tuple[dict[int, str], list[NDArray[np.int64]]]:
    """Return the names of classes by number, and the numbers of labels that are words.

    The classes are numbered in the order of their names.

    Args:
        labels: the labels of one or more splits, shape (N,) each.
    """
    names = np.unique(np.concatenate(labels))
    numbers = [np.searchsorted(names, part).astype(np.int64) for part in labels]
    return dict(enumerate(names.tolist())), numbers
