"""Files that are no model files that can be read: what they are, and the line that makes them one.

A file is named by its first bytes, not by its suffix, which anybody can change. The exceptions are
pickles, which joblib may compress in many ways.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actcli.errors import DataError
from actcli.formats.contents import Format
from actcli.formats.file_start import FileStart

SAVE_STATE_DICT = "torch.save(model.state_dict(), 'model.pt')"
SAVE_COEFS = "np.savez('model.npz', *m.coefs_, *m.intercepts_)"
SAVE_KERAS = "model.save('model.keras')"

# The first bytes of the file format of PyTorch before version 1.6: the pickle of a magic number.
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True)
class Signature:
    """A kind of file that cannot be read.

    Args:
        matches: returns whether a file is of this kind.
        kind: completes "m.pt is …".
        hint: how to get a file that can be read, with the line of code where there is one.
        is_vague: whether the reader of the format that the suffix names can say more.
    """

    matches: Callable[[FileStart], bool]
    kind: str
    hint: str
    is_vague: bool = False


def starts(*prefixes: bytes) -> Callable[[FileStart], bool]:
    """Return a test for first bytes."""
    return lambda start: start.head.startswith(prefixes)


def _is_pickle(start: FileStart) -> bool:
    has_opcode = start.head[:1] == b"\x80" and start.head[1:2] in {b"\2", b"\3", b"\4", b"\5"}
    return has_opcode or start.suffix in {".pkl", ".pickle", ".joblib"}


def _is_text(start: FileStart) -> bool:
    try:
        text = start.head.decode("utf-8", "strict" if start.size <= len(start.head) else "ignore")
    except ValueError:
        return False
    return bool(text) and all(
        character.isprintable() or character in "\t\r\n" for character in text
    )


def _has_member(*endings: str) -> Callable[[FileStart], bool]:
    return lambda start: any(name.endswith(endings) for name in start.members)


_FIRST = "Export the model first, as a state dict of PyTorch, ONNX, Keras or .npz"

# The first that matches counts.
SIGNATURES = (
    Signature(lambda start: start.size == 0, "empty", "Was the copy or download cut off?", True),
    Signature(
        starts(LEGACY_TORCH),
        "a file of torch.save in the format before PyTorch 1.6",
        "Save it anew:\n  weights = torch.load({source}, weights_only=True)\n"
        "  torch.save(weights, {target})\n"
        "If it holds a whole module: weights_only=False, and weights.state_dict()",
    ),
    Signature(
        _has_member("/archive_format"),
        "a program of torch.export",
        "Save its weights anew:\n  program = torch.export.load({source})\n"
        "  torch.save(program.state_dict, {target})",
    ),
    Signature(
        _has_member("/constants.pkl"),
        "a TorchScript module, with its code",
        "Save its weights anew:\n  module = torch.jit.load({source})\n"
        "  torch.save(module.state_dict(), {target})",
    ),
    Signature(
        _is_pickle,
        "a pickle, which runs code when it is loaded",
        f"From scikit-learn: {SAVE_COEFS}. From PyTorch: {SAVE_STATE_DICT}",
    ),
    Signature(
        starts(b"\x93NUMPY"), "a single array of NumPy", "All arrays go into one file: np.savez"
    ),
    Signature(lambda start: start.head[4:8] == b"TFL3", "a model of TensorFlow Lite", SAVE_KERAS),
    Signature(starts(b"GGUF"), "a GGUF file of a language model", _FIRST),
    Signature(_has_member(".mlmodel"), "a package of Core ML", _FIRST),
    Signature(
        starts(b"MATLAB 5.0"),
        "a file of MATLAB",
        "np.savez('model.npz', **{{k: v for k, v in scipy.io.loadmat({source}).items() "
        "if k[0] != '_'}})",
    ),
    Signature(starts(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM"), "an image", "predict --image"),
    Signature(starts(b"%PDF"), "a PDF document", _FIRST),
    Signature(
        starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf"),
        "compressed",
        "Unpack it first",
    ),
    Signature(lambda start: start.head[257:262] == b"ustar", "a tar archive", "Unpack it first"),
    Signature(starts(b"\x7fELF", b"MZ"), "a program", _FIRST),
    Signature(lambda start: bool(start.members), "a zip archive of something else", _FIRST, True),
    Signature(
        lambda start: start.head.lstrip()[:1] in {b"{", b"["} and _is_text(start),
        "a JSON text, which holds no weights",
        f"From Keras, save model and weights together: {SAVE_KERAS}",
    ),
    Signature(_is_text, "a text", _FIRST),
)


def find_signature(start: FileStart) -> Signature | None:
    """Return the kind of file with this start; None if it is unknown."""
    return next((each for each in SIGNATURES if each.matches(start)), None)


def unreadable(path: Path, signature: Signature, named: Format | None) -> DataError:
    """Return the error of a file that is of another kind than a model that can be read.

    Args:
        path: the path of the file.
        signature: its kind.
        named: the format that its suffix names, or None.
    """
    source, target = ascii(path.name), ascii(f"{path.stem}-weights.pt")
    hint = signature.hint.format(source=source, target=target)
    if named:
        return DataError(f"{path} is not {named.name}: it is {signature.kind}", hint)
    return DataError(f"{path} is {signature.kind}, not a model that can be read", hint)


def folder_hint(path: Path) -> tuple[str, str] | None:
    """Return the kind of model that a folder holds, and how to get a file; None if it holds none.

    Args:
        path: the path of the folder.
    """
    name = ascii(path.name)
    if (path / "saved_model.pb").exists():
        return (
            "a SavedModel of TensorFlow",
            f"Save it as a file: tf.keras.models.load_model({name}).save('model.keras')",
        )
    if (path / "data.pkl").exists():
        return "an unpacked archive of torch.save", f"Save it anew: {SAVE_STATE_DICT}"
    if (path / "model.weights.h5").exists() or (path / "Manifest.json").exists():
        return "an unpacked model", _FIRST
    return None
