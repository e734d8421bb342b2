"""PyTorch modules of a network: Python source text beside a file with its state dict.

The module is a `torch.nn.Sequential`, and the names of its state dict are those of actcli's own
`model.safetensors`, which is written as it is. The source text has the normalization and the output
activation. It is made of numbers and class names alone, which are escaped.
"""

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

from actcli.files import Buffer
from actcli.formats.network_parts import NetworkParts, OutputFile, Source, Writer, cannot_hold
from actcli.formats.safetensors import safetensors_parts
from actcli.nn.arrays import Array

MODULES: Mapping[str, str] = {
    "identity": "nn.Identity()",
    "sigmoid": "nn.Sigmoid()",
    "tanh": "nn.Tanh()",
    "relu": "nn.ReLU()",
    "leaky-relu": "nn.LeakyReLU(0.01)",
    "elu": "nn.ELU()",
    "selu": "nn.SELU()",
    "gelu": "nn.GELU()",
    "silu": "nn.SiLU()",
    "softplus": "nn.Softplus()",
    "mish": "nn.Mish()",
    "softsign": "nn.Softsign()",
    "relu6": "nn.ReLU6()",
}

OUTPUTS: Mapping[str, str] = {
    "softmax": "self(rows).softmax(1)",
    "sigmoid": "self(rows).sigmoid()",
    "identity": "self(rows)",
}

TEMPLATE = '''"""A multilayer perceptron, exported by actcli: {inputs} inputs, {units} units.

    network = load()
    network.probabilities(rows)  # raw inputs, as they were before any normalization

It needs PyTorch and the package safetensors. The parameters are in the file of the same name with
the suffix .safetensors.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

CLASSES = {classes}
{constants}

class Network(nn.Sequential):
    """Normalizes raw inputs and returns the logits."""

    def __init__(self) -> None:
        super().__init__(
{modules}
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return the logits (N, {logits}) of raw inputs (N, {inputs}), or of images (N, H, W)."""
        {normalize}
        return super().forward(x)

    def probabilities(self, rows: Tensor) -> Tensor:
        """Return the outputs (N, {outputs}) of raw inputs: {meaning}."""
        {result}


def load(path: Path = Path(__file__).with_suffix(".safetensors")) -> Network:
    """Return the trained network, ready to predict."""
    network = Network()
    network.load_state_dict(load_file(path))
    return network.eval()


if __name__ == "__main__":
    print(load())
'''
COLUMN_CONSTANTS = """
# Each input has its own normalization, in double precision: (x - SHIFT) * SCALE.
SHIFT = torch.tensor(
{shift},
    dtype=torch.float64,
)
SCALE = torch.tensor(
{scale},
    dtype=torch.float64,
)
"""
LINE_COLUMNS = 96


def torch_source(parts: NetworkParts) -> str:
    """Return the source text of the module.

    Raises:
        UsageError: an activation has no counterpart.
    """
    last = len(parts.layers) - 1
    modules = []
    for index, (weights, _) in enumerate(parts.layers):
        modules.append(f"nn.Linear({weights.shape[1]}, {weights.shape[0]}),")
        if index < last:
            modules.append(f"{_module(parts.activations[index])},")
    constants = ""
    normalize = "x = rows.flatten(1).to(self[0].weight)"
    if isinstance(parts.shift, tuple) and isinstance(parts.scale, tuple):
        constants = COLUMN_CONSTANTS.format(
            shift=_numbers(parts.shift), scale=_numbers(parts.scale)
        )
        normalize = (
            "x = (rows.flatten(1).double() - SHIFT.to(rows.device)) * SCALE.to(rows.device)\n"
            "        x = x.to(self[0].weight)"
        )
    else:
        if parts.shift != 0:
            normalize += f"\n        x = x - {parts.shift!r}"
        if parts.scale != 1:
            normalize += f"\n        x = x * {parts.scale!r}"
    units = parts.units
    result = f"return {OUTPUTS[parts.output]}"
    if parts.is_two_class_unit:
        result = f"second = {OUTPUTS['sigmoid']}\n        return torch.cat([1 - second, second], 1)"
    return TEMPLATE.format(
        inputs=parts.inputs,
        units=", ".join(map(str, units)),
        classes=_tuple(parts.classes),
        constants=constants,
        modules="\n".join(f"            {module}" for module in modules),
        logits=units[-1],
        normalize=normalize,
        outputs=2 if parts.is_two_class_unit else units[-1],
        meaning="logits" if parts.output == "identity" else f"probabilities by {parts.output}",
        result=result,
    )


def _module(activation: str) -> str:
    if activation not in MODULES:
        known = ", ".join(MODULES)
        raise cannot_hold("a PyTorch module", f"the activation {activation!r}", f"Known: {known}")
    return MODULES[activation]


def _tuple(names: tuple[str, ...]) -> str:
    """Return a tuple of texts as Python writes it, over several lines if it is long."""
    text = f"({', '.join(map(ascii, names))}{',' * (len(names) == 1)})"
    if len(text) + len("CLASSES = ") <= LINE_COLUMNS:
        return text
    return "(\n" + "".join(f"    {name!a},\n" for name in names) + ")"


def _numbers(values: Iterable[float]) -> str:
    """Return a list of numbers over several lines."""
    return textwrap.fill(
        repr(list(values)),
        LINE_COLUMNS,
        initial_indent="    ",
        subsequent_indent="     ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _files(source: Source, path: Path) -> list[OutputFile]:
    parts = source.network()
    named: dict[str, Array] = {}
    for index, (weights, biases) in enumerate(parts.layers):
        named |= {f"{2 * index}.weight": weights, f"{2 * index}.bias": biases}
    text: list[Buffer] = [torch_source(parts).encode("utf-8")]
    state = safetensors_parts(named, parts.description)
    return [(path, text), (path.with_suffix(".safetensors"), state)]


def _usage(source: Source, path: Path) -> str:
    result = "outputs" if source.network().output == "identity" else "probabilities"
    load = f"runpy.run_path({str(path)!r})['load']()"
    return (
        "import runpy, torch\n"
        f"network = {load}\n"
        f"{result} = network.probabilities(torch.as_tensor(rows))  # raw inputs"
    )


TORCH_WRITER = Writer("a PyTorch module", ".py", _files, _usage)
