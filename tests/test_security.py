"""The promises of SECURITY.md: forbidden calls are absent, and hostile files cannot do harm."""

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import actcli
from actcli.datasets.catalogue import DATASETS

ROOT = Path(actcli.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

# Modules that turn bytes into code, or run programs.
MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"),
    *("subprocess", "pty", "code", "runpy", "ctypes", "cffi", "yaml", "telnetlib", "ftplib"),
}
FUNCTIONS = {"eval", "exec", "compile", "__import__", "breakpoint"}
METHODS = {
    *("os.system", "os.popen", "np.load", "numpy.load", "np.fromfile", "tempfile.mktemp"),
    *("zipfile.extract", "zipfile.extractall", "shutil.unpack_archive", "tarfile.open"),
}
PREFIXES = ("os.exec", "os.spawn", "os.posix_spawn")


def forbidden_calls(tree: ast.AST) -> Iterator[str]:
    """Yield the imports, calls and options that a source must not contain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = []
        yield from (name for name in names if name.split(".")[0] in MODULES or is_forbidden(name))
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in FUNCTIONS or is_forbidden(name):
                yield name
            yield from filter(None, map(wrong_option, node.keywords))


def is_forbidden(name: str) -> bool:
    return name in METHODS or name.startswith(PREFIXES)


def wrong_option(keyword: ast.keyword) -> str | None:
    """Return the name of an option that is unsafe: `shell` and `allow_pickle` may only be False."""
    off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
    if keyword.arg in {"shell", "allow_pickle"} and not off:
        return keyword.arg
    if keyword.arg == "verify" and off:
        return keyword.arg
    return None


HARMFUL = (
    "import pickle",
    "def f():\n    from pickle import loads",
    "import shelve as s",
    "from marshal import loads",
    "import subprocess",
    "from os import system",
    "eval('1')",
    "exec(text)",
    "compile(text, '', 'exec')",
    "__import__('os')",
    "os.system('ls')",
    "os.popen('ls')",
    "os.execvp('ls', [])",
    "np.load(path)",
    "f(allow_pickle=True)",
    "f(allow_pickle=answer)",
    "run('ls', shell=True)",
    "get(url, verify=False)",
)
HARMLESS = (
    "re.compile('a')",
    "import json",
    "read(allow_pickle=False)",
    "ast.literal_eval('1')",
)


def test_no_pickle_no_eval_no_shell() -> None:
    offenders = {
        str(path.relative_to(ROOT)): faults
        for path in SOURCES
        if (faults := list(forbidden_calls(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert offenders == {}


def test_negative_control_of_the_check_itself() -> None:
    assert [source for source in HARMFUL if not list(forbidden_calls(ast.parse(source)))] == []
    assert [source for source in HARMLESS if list(forbidden_calls(ast.parse(source)))] == []


def test_every_address_is_https() -> None:
    for source in DATASETS.values():
        assert all(mirror.startswith("https://") for mirror in source.mirrors)
        assert all(len(file.sha256) == 64 and file.size for file in source.files)


def test_the_header_of_a_model_cannot_name_a_file_to_be_opened(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    """A header may name a data set of the catalogue; only the user may name a path."""
    x, y = np.zeros((6, 4), np.uint8), np.arange(6) % 2
    np.savez(tmp_path / "set.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    path = tmp_path / "m.safetensors"
    weights = {"0.weight": np.ones((2, 4), np.float32), "0.bias": np.ones(2, np.float32)}
    for dataset in ("/etc/passwd", "../set.npz", "set.npz", ".", "~/set.npz"):
        save_file(weights, path, {"actcli": json.dumps({"dataset": dataset})})
        message = refused("diagnose", str(path), status=2)
        assert message == (
            f"{path} was trained on {dataset!r}, which is not the name of a known data set. "
            "Give its path with --dataset"
        )


def test_a_message_is_not_longer_than_a_screen(refused: Callable[..., str]) -> None:
    """The end of a message stays: there it says what is wrong."""
    message = refused("train", "--dataset", f"./{'x' * 100_000}")
    assert len(message) < 5000
    assert message.endswith("File name too long")


def test_a_message_cannot_drive_the_terminal(tmp_path: Path, refused: Callable[..., str]) -> None:
    folder = tmp_path / "\x1b[31mred"
    folder.mkdir()
    for command, status in (("train --dataset", 1), ("diagnose", 2), ("train", 2)):
        message = refused(*command.split(), str(folder), status=status)
        assert f"{tmp_path}/\\x1b[31mred" in message
