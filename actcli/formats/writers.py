"""The formats of `actcli export --to`: a registry of writers. A new format is one entry here."""

import csv
import io
from pathlib import Path

from actcli.files import Buffer
from actcli.formats.network_parts import OutputFile, Source, Writer
from actcli.formats.onnx_writer import ONNX_WRITER
from actcli.formats.scikit_learn_writer import SCIKIT_LEARN_WRITER
from actcli.formats.torch_writer import TORCH_WRITER
from actcli.registry import Registry


def _csv_files(source: Source, path: Path) -> list[OutputFile]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(source.epochs())
    content: list[Buffer] = [text.getvalue().encode("utf-8")]
    return [(path, content)]


def _no_usage(_source: Source, _path: Path) -> str:
    return ""


WRITERS: Registry[Writer] = Registry("export format")
WRITERS.register("onnx")(ONNX_WRITER)
WRITERS.register("torch", "pytorch")(TORCH_WRITER)
WRITERS.register("npz", "scikit-learn", "sklearn")(SCIKIT_LEARN_WRITER)
WRITERS.register("csv")(Writer("a table of metrics", ".csv", _csv_files, _no_usage))
