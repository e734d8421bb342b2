"""Any bytes give a result or an error of ours: for each reader of files, searched by a fuzzer.

The readers are `idx`, `npz`, `config`, `weights` and `softmax`. A reader is fuzzed until a limit of
libFuzzer's is reached, or until it fails: by an exception that is not an `ActcliError`, a warning,
more than ten seconds for an input, or more than a gigabyte of memory. The input is then left in
`crash-…` in the current folder; given as an argument, it is tried again alone.

    python3 -m venv .venv && .venv/bin/pip install --editable '.[fuzz]'
    .venv/bin/python tests/fuzz/readers.py npz -max_total_time=300
    .venv/bin/python tests/fuzz/readers.py npz crash-0123456789

It takes longer than tests may, and is no part of them: what it finds becomes one of them.
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

with atheris.instrument_imports(
    include=["actcli", "zipfile", "tomllib", "json", "gzip", "numpy.lib._format_impl"]
):
    import click
    import numpy as np
    from safetensors.numpy import save

    from actcli.cli.softmax import softmax as softmax_command
    from actcli.config.sources import assemble, read_toml
    from actcli.datasets import idx, npz
    from actcli.errors import ActcliError
    from actcli.model import read_model_file

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
LIMITS = ["-timeout=10", "-rss_limit_mb=1000", "-max_len=20000"]


def written(content: bytes, name: str = "file") -> Path:
    path = FOLDER / name
    path.write_bytes(content)
    return path


def try_idx(data: bytes) -> None:
    """As they are, or else packed, since no fuzzer guesses a checksum."""
    idx.read_idx(written(gzip.compress(data[1:], 1) if data[:1] == b"z" else data))


def try_npz(data: bytes) -> None:
    """As a whole file, or else as one of its arrays."""
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
    """As a whole file, or else with the length of its header, which ends before the first NUL."""
    if data[:1] == b"z":
        header, _, numbers = data[1:].partition(b"\0")
        data = struct.pack("<Q", len(header)) + header + numbers
    name = "file.npz" if data[:2] == b"PK" else "file"
    read_model_file(written(data, name))


def try_softmax(data: bytes) -> None:
    """As arguments with a NUL between them, or else as standard input."""
    text = data[1:].decode("utf-8", "surrogateescape")
    args = text.split("\0") if data[:1] == b"z" else ["--json"]
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    out = io.TextIOWrapper(io.BytesIO(), errors="backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.suppress(click.exceptions.Exit):
        softmax_command.main(args, standalone_mode=False)


def seeds(reader: str) -> list[bytes]:
    """Inputs to start from: good ones."""
    archive = io.BytesIO()
    np.savez(archive, **dict.fromkeys(npz.ARRAY_NAMES, np.arange(4).reshape(2, 2)))
    array = io.BytesIO()
    np.save(array, np.zeros((3, 4), np.float32))
    image = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4])
    tensors = save({"0.weight": np.ones((2, 3), np.float32), "0.bias": np.ones(2, np.float32)})
    text = json.dumps({"loss": "mse", "output": "sigmoid", "activations": []})
    told = {"__metadata__": {"actcli": text}, "w": {"dtype": "BF16", "shape": [1, 1],
            "data_offsets": [0, 2]}}  # fmt: skip
    configs = (Path(__file__).parents[2] / "configs").glob("*.toml")
    return {
        "idx": [image, b"z" + image, gzip.compress(image)],
        "npz": [archive.getvalue(), b"z" + array.getvalue()],
        "config": [path.read_bytes() for path in configs],
        "weights": [tensors, b"z" + json.dumps(told).encode() + b"\0\0\0", archive.getvalue()],
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
        "softmax": try_softmax,
    }[name]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, content in enumerate(seeds(name)):
        (corpus / str(number)).write_bytes(content)
    given = any(not option.startswith("-") for option in options)
    warnings.simplefilter("error")
    inputs = [] if given else [str(corpus)]
    atheris.Setup([sys.argv[0], *LIMITS, *options, *inputs], guarded(reader))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
