"""Names of the runs of a sweep, which say what varies: `lr=0.03,seed=1`.

A name is the name of a folder, so that it has few kinds of characters and a bounded length. A hash
ends a name that is too long, or that another run has. Importing this module does not import NumPy.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from actcli.sweep.axes import option_of, written

RUN_NAME = re.compile(r"[\w+-][\w.+=,\[\]-]*")  # a single path component, not hidden
NOT_ALLOWED = re.compile(r"[^A-Za-z0-9_.+=,\[\]-]")
MAX_LENGTH = 100
HASH_LENGTHS = (6, 12, 64)  # the shortest that makes the name unique
DATA, SEED = "data.name", "training.seed"


def run_name(axes: Sequence[str], varied: Sequence[Any], seed: int) -> str:
    """Return what varies as a name that is possibly too long.

    Args:
        axes: the keys that vary.
        varied: the value of each of them.
        seed: the seed of the run.
    """
    parts = [
        f"{option_of(axis)}={_typed(axis, value)}" for axis, value in zip(axes, varied, strict=True)
    ]
    if SEED not in axes:
        parts.append(f"seed={seed}")
    return NOT_ALLOWED.sub("-", ",".join(parts))


def unique_name(name: str, digest: str, is_taken: Callable[[str], bool]) -> str:
    """Return the name, shortened if it is too long; with a hash if it is too long or taken.

    Args:
        name: the name that is wanted.
        digest: the hash of the run, in hexadecimal.
        is_taken: whether another run has a name.
    """
    if len(name) <= MAX_LENGTH and not is_taken(name):
        return name
    names = [
        f"{name[: MAX_LENGTH - length - 1].rstrip(',')}-{digest[:length]}"
        for length in HASH_LENGTHS
    ]
    return next((each for each in names if not is_taken(each)), names[-1])


def unique_names(names: Iterable[str], digests: Iterable[str]) -> Iterator[str]:
    """Yield the names; of equal names, all but the first have a hash.

    Names that differ only in upper and lower case count as equal, as in some file systems.
    """
    taken: set[str] = set()
    for name, digest in zip(names, digests, strict=True):
        unique = unique_name(name, digest, lambda each: each.casefold() in taken)
        taken.add(unique.casefold())
        yield unique


def common_part(names: Sequence[str]) -> str:
    """Return the parts at the start of all names: lr=0.03 of lr=0.03,seed=0 and lr=0.03,seed=1."""
    columns = zip(*(re.split(r",(?![^\[\]]*\])", name) for name in names), strict=False)
    same = itertools.takewhile(lambda column: len(set(column)) == 1, columns)
    return ",".join(column[0] for column in same)


def _typed(axis: str, value: Any) -> str:
    """Return a value as `--vary` accepts it; of a path, only the last part."""
    text = written(value)
    if axis == DATA:
        return Path(text).name or text
    return f"[{text}]" if isinstance(value, list | tuple) and len(value) > 1 else text
