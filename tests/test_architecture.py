"""What may import what, read from the sources: see docs/architecture.md.

Imports point downward, so that each part can be understood, and tested, without those above it.
"""

import ast
import collections
import functools
import re
import sys
import tomllib
from pathlib import Path

import pytest

import actcli

ROOT = Path(actcli.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

# From below to above; siblings share a rank and do not import each other.
RANKS = {
    name: rank
    for rank, names in enumerate(
        [
            ["errors"],
            ["files", "jsonlines", "machine", "registry"],
            ["nn"],
            ["config"],
            ["datasets"],
            ["formats"],
            ["model"],
            ["training"],
            ["diagnostics"],
            ["explore"],
            ["store"],
            ["sweep"],
            ["term"],
            ["html"],
            ["render"],
            ["pages"],
            ["api"],
            ["cli"],
            ["__main__"],
        ]
    )
    for name in names
}
ONLY_IN = {
    "click": {"cli"},
    "rich": {"term", "render", "cli"},
    "PIL": {"datasets"},
    "h5py": {"formats.hdf5"},
    "distributed": {"sweep.cluster"},
}
IMPORTED_AS = {"pillow": "PIL"}
# A command has its name in each of these, and shares it with nothing else but what is named here.
ROOMS_OF_A_COMMAND = {"explore", "render", "cli", "store"}
ALSO_NAMED = {
    "activations": {"nn"},
    "report": {"diagnostics"},  # the result of `actcli diagnose`
    **{name: {"diagnostics"} for name in ("doubts", "findings", "gradients", "outputs", "units")},
}
NN_MAY_IMPORT = ("numpy", "actcli.nn", "actcli.errors", "actcli.registry")
AT_IMPORT_NEVER = {
    "Console",
    "stdout_console",
    "stderr_console",
    "default_rng",
    "Generator",
    "RandomState",
    "Random",
}

SOURCES = {
    ".".join(["actcli", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__"): (
        path
    )
    for path in sorted(ROOT.rglob("*.py"))
}


@functools.cache
def parse(module):
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imports(module, tree, is_package=False):
    """The full name of everything that a module imports, at its top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            above = parts[: len(parts) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def part_of(module):
    """The part of actcli that a module belongs to: nn for actcli.nn.losses."""
    return module.split(".")[1]


def inside(module):
    """The name of a module within actcli: nn.losses for actcli.nn.losses."""
    return module.removeprefix("actcli.")


def faults(module, tree, is_package=False):
    """What is wrong with the imports of a module."""
    found = []
    for name in imports(module, tree, is_package):
        top = name.split(".")[0]
        if top == "actcli":
            found += downward(module, name)
        elif top in ONLY_IN and not {part_of(module), inside(module)} & ONLY_IN[top]:
            found.append(f"{module} imports {top}")
        free = top in sys.stdlib_module_names or name.startswith(NN_MAY_IMPORT)
        if part_of(module) == "nn" and not free:
            found.append(f"{module} imports {name}: nn needs nothing but NumPy")
    return found


def downward(module, name):
    """The fault, if any, of an import of actcli's own."""
    if name == "actcli" or name.startswith("actcli.__"):  # the version
        return []
    ours, theirs = part_of(module), part_of(name)
    if ours == theirs or RANKS[theirs] < RANKS[ours]:
        return []
    return [f"{module} imports {name}, which is not below it"]


def at_import(node):
    """The nodes that run when a module is imported: not what stands inside functions."""
    yield node
    inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    skipped = (node.body if isinstance(node.body, list) else [node.body]) if inside else []
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from at_import(child)


def made_at_import(tree):
    """Which consoles and random generators a module makes when it is imported."""
    calls = (node for node in at_import(tree) if isinstance(node, ast.Call))
    names = (ast.unparse(call.func) for call in calls)
    return [name for name in names if name.split(".")[-1] in AT_IMPORT_NEVER]


def test_the_sources_are_found():
    assert {"actcli", "actcli.errors", "actcli.nn.losses", "actcli.cli"} <= set(SOURCES)


def test_every_part_has_its_place_in_the_order():
    assert {part_of(module) for module in SOURCES if module != "actcli"} == set(RANKS)


def test_imports_point_downward():
    modules = {module: parse(module) for module in SOURCES}
    packages = {module for module, path in SOURCES.items() if path.name == "__init__.py"}
    offenders = [
        fault
        for module, tree in modules.items()
        if module != "actcli"
        for fault in faults(module, tree, module in packages)
    ]
    assert offenders == []


def test_every_third_party_import_is_declared():
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    lines = [*project["dependencies"], *optional["dask"], *optional["image"], *optional["keras"]]
    declared = {re.split(r"[^\w-]", line)[0] for line in lines}
    declared = {IMPORTED_AS.get(name, name) for name in declared}
    imported = {name.split(".")[0] for module in SOURCES for name in imports(module, parse(module))}
    assert imported - {"actcli", ""} - sys.stdlib_module_names <= declared


def test_every_module_has_a_docstring():
    assert [module for module in SOURCES if not ast.get_docstring(parse(module))] == []


def test_no_console_and_no_random_generator_is_global():
    offenders = {module: made_at_import(parse(module)) for module in SOURCES}
    assert {module: names for module, names in offenders.items() if names} == {}


def test_modules_share_a_name_only_if_they_are_parts_of_one_command():
    """`actcli loss` is explore/loss.py, render/loss.py and cli/loss.py."""
    places = collections.defaultdict(set)
    for module, path in SOURCES.items():
        if path.name != "__init__.py":
            package, name = module.split(".")[-2:]
            places[name].add(package)
    shared = {name: packages for name, packages in places.items() if len(packages) > 1}
    offenders = {
        name: packages
        for name, packages in shared.items()
        if not (packages - ROOMS_OF_A_COMMAND <= ALSO_NAMED.get(name, set()))
    }
    assert offenders == {}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("actcli.nn.losses", "from actcli.training.loop import fit"),
        ("actcli.nn.losses", "import actcli.cli"),
        ("actcli.nn.losses", "from actcli import datasets"),
        ("actcli.nn.losses", "import safetensors.numpy"),
        ("actcli.nn.losses", "from ..files import write_atomically"),
        ("actcli.nn.losses", "def f():\n    import rich"),
        ("actcli.training.loop", "from actcli.diagnostics import probe"),
        ("actcli.diagnostics.probe", "from actcli.store import record"),
        ("actcli.diagnostics.probe", "def f():\n    from actcli.term.text import table"),
        ("actcli.training.loop", "if TYPE_CHECKING:\n    import click"),
        ("actcli.term.text", "import click"),
        ("actcli.sweep.results", "from rich.table import Table"),
        ("actcli.sweep.engine", "from distributed import Client"),
        ("actcli.cli.sweep", "def f():\n    import distributed"),
        ("actcli.registry", "from actcli.files import write_atomically"),
        ("actcli.errors", "from actcli.registry import nearest"),
    ],
)
def test_negative_control_a_wrong_import_is_seen(module, source):
    assert faults(module, ast.parse(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("actcli.nn.losses", "import math\nimport numpy as np\nfrom actcli.nn.links import LINKS"),
        ("actcli.nn.losses", "from . import links\nfrom ..errors import UsageError"),
        ("actcli.nn.losses", "from collections.abc import Callable\nimport numpy.typing"),
        (
            "actcli.store.train",
            "from actcli import __version__, errors, files\nimport safetensors",
        ),
        (
            "actcli.term.text",
            "from rich.table import Table\nfrom actcli.errors import UsageError",
        ),
        ("actcli.sweep.cluster", "from distributed import Client"),
        ("actcli.cli.train", "import click, rich\nfrom actcli.term import text"),
    ],
)
def test_right_imports_are_let_through(module, source):
    assert faults(module, ast.parse(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        "console = Console()",
        "rng = np.random.default_rng(0)",
        "class A:\n    console = rich.console.Console(stderr=True)",
        "def f(rng=np.random.default_rng()):\n    pass",
        "if True:\n    R = random.Random(1)",
    ],
)
def test_negative_control_a_global_is_seen(source):
    assert made_at_import(ast.parse(source))


def test_what_a_function_makes_is_its_own():
    source = "def f():\n    return Console()\n\nmake = lambda: np.random.default_rng(0)"
    assert made_at_import(ast.parse(source)) == []
