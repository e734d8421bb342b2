"""Fuzz the readers of files: any bytes must give a result or an `ActcliError`.

The readers are `idx`, `npz`, `csv`, `picture`, `config`, `weights`, `pt`, `onnx`, `keras`, `any`
and `softmax`. Fuzzing ends at a limit of libFuzzer's options or at the first failure: an exception
that is not an `ActcliError`, a warning, more than ten seconds for an input, or more than a gigabyte
of memory. The failing input is written to `crash-…` in the current folder. With that file as an
argument, only this input is tried.

    python3 -m venv .venv && .venv/bin/pip install --editable '.[fuzz]'
    .venv/bin/python tests/fuzz/readers.py npz -max_total_time=300
    .venv/bin/python tests/fuzz/readers.py npz crash-0123456789

Fuzzing takes too long for the test suite. Each failure that it finds becomes a test there.
"""

import contextlib
import gzip
import io
import json
import struct
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

with atheris.instrument_imports(
    include=["actcli", "zipfile", "tomllib", "json", "gzip", "numpy.lib._format_impl"]
):
    import click
    import numpy as np
    from safetensors.numpy import save
    from torch_archives import archive, attacks

    from actcli.cli.softmax import softmax as softmax_command
    from actcli.config.sources import assemble, read_toml
    from actcli.datasets import idx, npz
    from actcli.datasets.drawings import read_drawing
    from actcli.datasets.file_formats import read_file
    from actcli.errors import ActcliError
    from actcli.model import read_model_file

ORACLES = Path(__file__).parents[1] / "oracles"
with zipfile.ZipFile(ORACLES / "keras_models" / "keras3_functional.keras") as keras_file:
    KERAS_WEIGHTS, KERAS_CONFIG = map(keras_file.read, ("model.weights.h5", "config.json"))

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
LIMITS = ["-timeout=10", "-rss_limit_mb=1000", "-max_len=20000"]


def written(content: bytes, name: str = "file") -> Path:
    path = FOLDER / name
    path.write_bytes(content)
    return path


def try_idx(data: bytes) -> None:
    """Read the bytes as a file, or pack them first: a fuzzer does not guess gzip checksums."""
    idx.read_idx(written(gzip.compress(data[1:], 1) if data[:1] == b"z" else data))


def try_npz(data: bytes) -> None:
    """Read the bytes as a whole file, or as one array in it."""
    if data[:1] != b"z":
        npz.read_npz(written(data))
        return
    good = io.BytesIO()
    np.save(good, np.arange(3))
    with zipfile.ZipFile(FOLDER / "file", "w", zipfile.ZIP_DEFLATED) as archive:
        for key in npz.ARRAY_NAMES:
            archive.writestr(f"{key}.npy", data[1:] if key == "x_train" else good.getvalue())
    npz.read_npz(FOLDER / "file")


def try_config(data: bytes) -> None:
    assemble(read_toml(written(data))).resolve()


def try_weights(data: bytes) -> None:
    """Read the bytes as a whole file, or add the length of the header, which ends at a NUL."""
    if data[:1] == b"z":
        header, _, numbers = data[1:].partition(b"\0")
        data = struct.pack("<Q", len(header)) + header + numbers
    name = "file.npz" if data[:2] == b"PK" else "file.safetensors"
    read_model_file(written(data, name))


def try_onnx(data: bytes) -> None:
    read_model_file(written(data, "file.onnx"))


def try_pt(data: bytes) -> None:
    """Read the bytes as a whole archive of `torch.save`, or as the pickle in one."""
    if data[:1] == b"z":
        read_model_file(archive(FOLDER / "file.pt", data[1:], {"0": bytes(24)}))
    else:
        read_model_file(written(data, "file.pt"))


def try_keras(data: bytes) -> None:
    """Read the bytes as an HDF5 file, as an archive, or as the configuration in an archive."""
    if data[:1] == b"z":
        with zipfile.ZipFile(FOLDER / "file.keras", "w") as file:
            file.writestr("config.json", data[1:])
            file.writestr("model.weights.h5", KERAS_WEIGHTS)
        read_model_file(FOLDER / "file.keras")
    else:
        read_model_file(written(data, "file.keras" if data[:2] == b"PK" else "file.h5"))


def try_any(data: bytes) -> None:
    """Read the bytes as a file of any kind, after a suffix that ends at a NUL."""
    suffix, _, content = data.partition(b"\0")
    name = "file." + "".join(chr(97 + each % 26) for each in suffix[:12])
    read_model_file(written(content, name))


def try_csv(data: bytes) -> None:
    """Read the bytes as a table, packed first if they start with z. They may name a target."""
    if data[:1] == b"z":
        read_file(written(gzip.compress(data[1:], 1), "file.csv.gz"))
        return
    target, _, text = data.rpartition(b"\0\0")
    read_file(written(text, "file.csv"), target.decode("utf-8", "replace") or "last")


def try_picture(data: bytes) -> None:
    read_drawing(written(data), (28, 28))


def try_softmax(data: bytes) -> None:
    """Pass the bytes as arguments separated by NULs, or as standard input."""
    text = data[1:].decode("utf-8", "surrogateescape")
    args = text.split("\0") if data[:1] == b"z" else ["--json"]
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    out = io.TextIOWrapper(io.BytesIO(), errors="backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.suppress(click.exceptions.Exit):
        softmax_command.main(args, standalone_mode=False)


def seeds(reader: str) -> list[bytes]:
    """Return valid inputs to start from."""
    archive = io.BytesIO()
    np.savez(archive, **dict.fromkeys(npz.ARRAY_NAMES, np.arange(4).reshape(2, 2)))
    array = io.BytesIO()
    np.save(array, np.zeros((3, 4), np.float32))
    image = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
    tensors = save({"0.weight": np.ones((2, 3), np.float32), "0.bias": np.ones(2, np.float32)})
    text = json.dumps({"loss": "mse", "output": "sigmoid", "activations": []})
    header = {"__metadata__": {"actcli": text}, "w": {"dtype": "BF16", "shape": [1, 1],
            "data_offsets": [0, 2]}}  # fmt: skip
    table = b'"a",b,kind\n' + b"".join(b'%d.5,"%d",%s\n' % (i, i, b"xy"[i % 2 :]) for i in range(9))
    configs = (Path(__file__).parents[2] / "configs").glob("*.toml")
    return {
        "idx": [image, b"z" + image, gzip.compress(image)],
        "npz": [archive.getvalue(), b"z" + array.getvalue()],
        "config": [path.read_bytes() for path in configs],
        "weights": [tensors, b"z" + json.dumps(header).encode() + b"\0\0\0", archive.getvalue()],
        "onnx": [path.read_bytes() for path in ORACLES.glob("onnx/*.onnx")],
        "pt": [path.read_bytes() for path in sorted((ORACLES / "torch_models").glob("*.pt"))]
        + [b"z" + program for program in attacks(FOLDER / "sprung").values()],
        "keras": [
            path.read_bytes()
            for path in sorted((ORACLES / "keras_models").iterdir())
            if path.suffix in {".h5", ".keras"}
        ]
        + [b"z" + KERAS_CONFIG],
        "any": [b"pt\0" + tensors, b"x\0\x80\4", b"\0GGUF"],
        "csv": [
            table,
            b"z" + table,
            b"kind\0\0" + table,
            table.replace(b",", b";"),
            gzip.compress(table),
        ],
        "picture": [path.read_bytes() for path in ORACLES.glob("digits/6-*.png")],
        "softmax": [b"1 2 3\n-inf, 0\n", b"z1\x00-2\x00--target\x000\x00--labels\x00a,b"],
    }[reader]


def guarded(reader: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def one_input(data: bytes) -> None:
        with contextlib.suppress(ActcliError, click.ClickException):
            reader(data)

    return one_input


def main() -> None:
    name, *options = sys.argv[1:]
    reader = {
        "idx": try_idx,
        "npz": try_npz,
        "config": try_config,
        "weights": try_weights,
        "onnx": try_onnx,
        "pt": try_pt,
        "keras": try_keras,
        "any": try_any,
        "csv": try_csv,
        "picture": try_picture,
        "softmax": try_softmax,
    }[name]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(content)
    has_inputs = any(not option.startswith("-") for option in options)
    warnings.simplefilter("error")
    inputs = [] if has_inputs else [str(corpus)]
    atheris.Setup([sys.argv[0], *LIMITS, *options, *inputs], guarded(reader))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
