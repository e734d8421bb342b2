"""Model files of actcli and other frameworks, read as layers. No code in a file is ever executed.

Each format has one module with its entry in `FORMATS`: the first bytes by which its files are
recognized, their suffixes, and a reader. A reader returns named tensors or a chain of layers
(`contents`), of which `layers` makes a multilayer perceptron. A new format is one such entry.
"""

from pathlib import Path

from actcli.errors import DataError
from actcli.formats.contents import FileNetwork, Format
from actcli.formats.file_start import FileStart, read_start
from actcli.formats.keras import KERAS_ARCHIVE, KERAS_HDF5
from actcli.formats.layers import to_network
from actcli.formats.numpy_arrays import NPZ
from actcli.formats.onnx import ONNX
from actcli.formats.pt import PT
from actcli.formats.safetensors import SAFETENSORS
from actcli.formats.signatures import find_signature, unreadable

FORMATS: tuple[Format, ...] = (SAFETENSORS, NPZ, PT, ONNX, KERAS_ARCHIVE, KERAS_HDF5)


def read_network(path: Path) -> FileNetwork:
    """Return the multilayer perceptron in a model file, and what the file says about it.

    The first bytes decide on the format; if they are those of no format, the suffix does.

    Raises:
        DataError: the file cannot be read or does not hold a multilayer perceptron. The message
            names the tensor and its shape.
        ActcliError: this machine has less memory than the tensors need.
    """
    format_ = find_format(path, read_start(path))
    return to_network(path, format_.read(path), format_)


def find_format(path: Path, start: FileStart) -> Format:
    """Return the format of a file with this start.

    Raises:
        DataError: the file is in none of the formats; the message says what it is instead, and how
            to make a file of it that can be read.
    """
    recognized = next((each for each in FORMATS if each.recognizes(start)), None)
    if recognized:
        return recognized
    named = next((each for each in FORMATS if start.suffix in each.suffixes), None)
    signature = find_signature(start)
    if named and (signature is None or signature.is_vague):
        return named  # its reader says what is damaged
    if signature:
        raise unreadable(path, signature, named)
    readable = ", ".join(suffix for each in FORMATS for suffix in each.suffixes)
    raise DataError(
        f"{path} is not a model that can be read: it starts with {start.head[:8].hex(' ')}",
        f"Models are read from {readable}",
    )
