"""Files that are no models: each is named for what it is, with the line that makes it readable."""

import gzip
import json
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from actcli.errors import DataError
from actcli.formats.signatures import SIGNATURES
from actcli.model import read_model_file


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_model_file(path)
    return str(caught.value).removeprefix(f"{path} ")


COEFS = "np.savez('model.npz', *m.coefs_, *m.intercepts_)"
FILES = {
    "m.joblib": (pickle.dumps({"a": np.ones(3)}), "a pickle, which runs code when it is loaded"),
    "z.joblib": (zlib.compress(b"..."), "a pickle, which runs code when it is loaded"),
    "old.pkl": (b"cos\nsystem\n.", "a pickle, which runs code when it is loaded"),
    "model": (pickle.dumps(3), "a pickle, which runs code when it is loaded"),
    "m.txt": (b"weights: 1 2 3\n", "a text"),
    "m.json": (json.dumps({"class_name": "Sequential"}).encode(), "a JSON text, which holds no"),
    "m.onnx.gz": (gzip.compress(b"model"), "compressed"),
    "m.tflite": (b"\x1c\0\0\0TFL3" + bytes(90), "a model of TensorFlow Lite"),
    "m.gguf": (b"GGUF\3\0\0\0", "a GGUF file of a language model"),
    "m.mat": (b"MATLAB 5.0 MAT-file, Platform" + bytes(90), "a file of MATLAB"),
    "m.png": (b"\x89PNG\r\n\x1a\n" + bytes(90), "an image"),
    "m.pdf": (b"%PDF-1.7", "a PDF document"),
    "m.exe": (b"\x7fELF\2\1\1", "a program"),
    "m.tar": (bytes(257) + b"ustar\0" + bytes(300), "a tar archive"),
    "m.npy": (b"\x93NUMPY\1\0", "a single array of NumPy"),
    "none": (b"", "empty"),
}


def test_each_file_is_named_for_what_it_is(tmp_path: Path) -> None:
    wrong = {}
    for name, (content, kind) in FILES.items():
        (tmp_path / name).write_bytes(content)
        message = fault(tmp_path / name)
        if not message.startswith(f"is {kind}") or ". " not in message:
            wrong[name] = message
    assert wrong == {}
    assert COEFS in fault(tmp_path / "m.joblib")
    assert len(FILES) >= len(SIGNATURES) - 5  # those of torch.save and of zips are tested elsewhere


def test_a_zip_archive_of_something_else_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("readme.txt", "text")
    assert fault(tmp_path / "m.zip").startswith("is a zip archive of something else, not a model")


def test_a_known_suffix_on_another_file_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(pickle.dumps(3))
    assert fault(tmp_path / "m.safetensors").startswith(
        "is not a safetensors file: it is a pickle, which runs code when it is loaded. From sci"
    )


def test_a_format_is_recognized_under_any_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", np.ones((2, 3)))
    (tmp_path / "m.npz").rename(tmp_path / "m.pt")
    assert read_model_file(tmp_path / "m.pt").sizes == (3, 2)


def test_unknown_bytes_are_shown_with_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(bytes(range(20)))
    message = fault(tmp_path / "m.bin")
    assert message.startswith("is not a model that can be read: it starts with 00 01 02 03 04 05")
    assert ".safetensors, .npz, .pt, .pth" in message
