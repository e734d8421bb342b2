"""The catalogue: named data sets with their files, mirrors, hashes and licences.

The folders are searched in this order, and the first one with all four files is used:

1. `$ACTCLI_DATA_DIR/<name>`, or `$ACTCLI_DATA_DIR` itself if that folder is called `<name>`;
2. the user's cache, where downloads are stored;
3. `/usr/share/datasets/<name>`;
4. the data that are installed with actcli.

Only downloads are compared with the published SHA-256, before the file gets its final name. A file
that is already on the machine is the user's choice: it may be packed differently or changed on
purpose, and hashing it would slow down every start.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from actcli import files
from actcli.datasets import idx
from actcli.errors import DataError
from actcli.registry import Registry

SHARED_FOLDER = Path("/usr/share/datasets")

DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


@dataclass(frozen=True)
class CatalogueFile:
    """One gzip file of a data set, as its publisher offers it.

    Args:
        name: the file name, at the mirrors and in a folder.
        size: number of bytes after unpacking.
        sha256: the published hash, in hexadecimal.
        hashed: "raw" if the hash is of the unpacked bytes, "gz" if it is of the gzip file. "raw"
            accepts the gzip file of any packer, but not every publisher states the raw hash.
    """

    name: str
    size: int
    sha256: str
    hashed: Literal["raw", "gz"]


@dataclass(frozen=True)
class CatalogueEntry:
    """A named data set.

    Args:
        title: a description in one line, with its source.
        files: train images, train labels, test images, test labels.
        mirrors: URLs of folders that hold the files, best first, each with its final slash.
        licence: the licence of the data set, with the credit that it requires.
        homepage: the URL of its description.
        classes: the names of the labels 0, 1, 2, …
    """

    title: str
    files: tuple[CatalogueFile, CatalogueFile, CatalogueFile, CatalogueFile]
    mirrors: tuple[str, ...]
    licence: str
    homepage: str
    classes: tuple[str, ...]


DATASETS: Registry[CatalogueEntry] = Registry("data set")


def call_once(define: Callable[[], CatalogueEntry]) -> CatalogueEntry:
    """Return the result of a function, so that the registry holds the entry itself."""
    return define()


def _mnist_files(
    hashed: Literal["raw", "gz"], *sha256: str
) -> tuple[CatalogueFile, CatalogueFile, CatalogueFile, CatalogueFile]:
    """Return four files with MNIST's sizes: 60,000 and 10,000 images of 28 x 28 pixels."""
    sizes = (47_040_016, 60_008, 7_840_016, 10_008)
    train_images, train_labels, test_images, test_labels = (
        CatalogueFile(f"{name}.gz", size, digest, hashed)
        for name, size, digest in zip(idx.FILE_NAMES, sizes, sha256, strict=True)
    )
    return train_images, train_labels, test_images, test_labels


@DATASETS.register("mnist")
@call_once
def mnist() -> CatalogueEntry:
    """Return MNIST, with the hashes of the files in `data/mnist`; many projects publish them."""
    return CatalogueEntry(
        title="Handwritten digits (LeCun, Cortes and Burges, 1998)",
        files=_mnist_files(
            "raw",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        licence="often given as CC BY-SA 3.0; the original page stated none",
        homepage="http://yann.lecun.com/exdb/mnist/",
        classes=DIGITS,
    )


@DATASETS.register("fashion-mnist")
@call_once
def fashion_mnist() -> CatalogueEntry:
    """Return Fashion-MNIST; hashes from TensorFlow Datasets, `url_checksums/fashion_mnist.txt`."""
    return CatalogueEntry(
        title="Articles of clothing (Xiao, Rasul and Vollgraf, 2017)",
        files=_mnist_files(
            "gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        mirrors=(
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        licence="MIT, © 2017 Zalando SE",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
    )


@DATASETS.register("kmnist")
@call_once
def kmnist() -> CatalogueEntry:
    """Return KMNIST; hashes from TensorFlow Datasets, `url_checksums/kmnist.txt`.

    The only mirror is the publisher's: no other offers the IDX files.
    """
    return CatalogueEntry(
        title="Cursive Japanese characters (Clanuwat et al., 2018)",
        files=_mnist_files(
            "gz",
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
        mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        licence=(
            'CC BY-SA 4.0: "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" '
            "(created by NIJL and others), doi:10.20676/00000341"
        ),
        homepage="https://codh.rois.ac.jp/kmnist/",
        classes=("お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を"),
    )


def find_dataset(name: str) -> Path | None:
    """Return the folder of a data set of the catalogue, or None if none has all four files.

    Raises:
        UsageError: no data set has that name.
    """
    DATASETS[name]  # raises for an unknown name
    for folder in _search_folders(name):
        with contextlib.suppress(DataError):
            idx.locate_files(folder)
            return folder
    return None


def cache_folder(name: str) -> Path:
    """Return the folder in the user's cache where the downloads of a data set are stored."""
    return Path(platformdirs.user_cache_dir("actcli", appauthor=False)) / name


def _search_folders(name: str) -> Iterator[Path]:
    """Yield the folders where a data set may lie, in order of preference."""
    if data_folder := os.environ.get("ACTCLI_DATA_DIR"):
        root = Path(data_folder)
        yield root / name
        if root.resolve().name == name:
            yield root
    yield cache_folder(name)
    yield SHARED_FOLDER / name
    yield files.packaged_folder("data") / name
