"""Groups, attributes and arrays of an HDF5 file, for the readers of Keras files.

HDF5 can do more than hold arrays: a link may lead to another file, an array may lie in another
file, and a few bytes may unpack to gigabytes. A model file must not decide which files are opened,
so that only arrays that lie in the file itself are read, and only without compression, as Keras
writes them. h5py is needed, which comes with the extra `keras`. Its library loops for ever on some
damaged files, so that a reader is run by `isolated.read_isolated`.
"""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from actcli import jsonlines
from actcli.config.values import quoted
from actcli.errors import ActcliError, DataError
from actcli.machine import require_memory

if TYPE_CHECKING:
    import h5py

MAX_TEXT_BYTES = 10_000_000  # of the description of a network
BFLOAT16 = np.dtype("V2")  # HDF5 has no such type; Keras writes two bytes without a meaning
DAMAGE_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def require_h5py(path: Path) -> None:
    """Import h5py, so that processes forked later need not do it again.

    Raises:
        ActcliError: h5py is not installed.
    """
    try:
        import h5py  # noqa: F401 - only its import matters here
    except ImportError:
        raise ActcliError(
            f"{path}: files of Keras need h5py", "Install it: pip install 'actcli[keras]'"
        ) from None


@contextlib.contextmanager
def open_hdf5(path: Path, content: bytes | None = None) -> Iterator["Group"]:
    """Open an HDF5 file, and yield its root.

    Args:
        path: the path of the file, or of the archive with the file, for messages.
        content: the bytes of a file in an archive; None for a file at the path.

    Raises:
        DataError: the file is damaged.
    """
    import h5py

    size = path.stat().st_size if content is None else len(content)
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield Group(path, file, size)
    except DAMAGE_ERRORS as error:
        if isinstance(error, ActcliError):
            raise
        raise DataError(
            f"{path} is not an HDF5 file, or is damaged: {_first_line(error)}"
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]


class Group:
    """A group of an HDF5 file.

    Args:
        path: the path of the file, for messages.
        group: the group of h5py.
        size: of the file in bytes.
    """

    def __init__(self, path: Path, group: "h5py.Group", size: int) -> None:
        self._path = path
        self._group = group
        self._size = size

    def __contains__(self, name: str) -> bool:
        return name in self._group

    def names(self) -> list[str]:
        """Return the names of the members."""
        return list(self._group)

    def group(self, *names: str) -> "Group":
        """Return a group within this one.

        Raises:
            DataError: there is no such group.
        """
        import h5py

        member = self._member(*names)
        if not isinstance(member, h5py.Group):
            raise DataError(f"{self._path}: {quoted('/'.join(names))} is not a group")
        return Group(self._path, member, self._size)

    def text(self, name: str) -> str | None:
        """Return an attribute that is a text; None if there is none."""
        value = self._group.attrs.get(name)
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return text if isinstance(text, str) else None

    def json(self, name: str) -> dict[str, Any]:
        """Return an attribute that is the text of a JSON object; an empty one if there is none.

        Raises:
            DataError: it is not JSON.
        """
        return json_object(self._path, name, self.text(name) or "{}")

    def texts(self, name: str) -> list[str]:
        """Return an attribute that is a list of texts."""
        values = np.atleast_1d(self._group.attrs.get(name, [])).tolist()
        return [
            each.decode("utf-8", "replace") if isinstance(each, bytes) else str(each)
            for each in values
        ]

    def array(self, *names: str) -> NDArray[Any]:
        """Return an array of floats.

        Raises:
            DataError: there is no such array, it does not lie in this file, or it is compressed.
            ActcliError: this machine has less memory than it needs.
        """
        import h5py

        shown = quoted("/".join((self._group.name, *names)).lstrip("/"))
        dataset = self._member(*names)
        if not isinstance(dataset, h5py.Dataset):
            raise DataError(f"{self._path}: {shown} is not an array")
        if dataset.external or dataset.is_virtual:
            raise DataError(f"{self._path}: the numbers of {shown} are in another file")
        is_brain = dataset.dtype == BFLOAT16
        if dataset.dtype.kind != "f" and not is_brain:
            raise DataError(
                f"{self._path}: array {shown} is of type {dataset.dtype}",
                "Known: float64, float32, float16, bfloat16",
            )
        stored = dataset.id.get_storage_size()
        if stored != dataset.nbytes or stored > self._size:
            raise DataError(
                f"{self._path}: array {shown} of shape {dataset.shape} has {dataset.nbytes:,} "
                f"bytes, but the file stores {stored:,}",
                "Arrays that are compressed or lack numbers are not read",
            )
        require_memory(2 * stored, str(self._path))
        array = np.asarray(dataset[()])
        if is_brain:  # bfloat16 is the upper half of a float32
            array = (array.view("<u2").astype(np.uint32) << 16).view(np.float32)
        return array

    def _member(self, *names: str) -> Any:
        """Return a member, which may be nested, after checking that each link stays in the file."""
        import h5py

        group = self._group
        for name in (part for path in names for part in path.split("/") if part):
            link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
            if not isinstance(link, h5py.HardLink):
                raise DataError(
                    f"{self._path}: {quoted('/'.join(names))} is missing or lies in another file"
                )
            group = group[name]
        return group


def json_object(path: Path, name: str, text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises:
        DataError: it is too long, or not a JSON object.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise DataError(f"{path}: {name} has {len(text):,} bytes. At most {MAX_TEXT_BYTES:,}")
    try:
        value = jsonlines.loads(text)
    except (ValueError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: {name} is not JSON: {_first_line(error)}") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: {name} is not a JSON object")
    return value
