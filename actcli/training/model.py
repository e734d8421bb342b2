"""A network as a file that PyTorch reads too.

`model.safetensors` has the names and shapes of `nn.Sequential(Linear, activation, Linear, …)`:
`0.weight` (units, inputs), `0.bias`, `2.weight`, …. What else is needed to use the network, from
the activations to the normalisation, is one JSON text in the header.
"""

from collections.abc import Sequence
from typing import Any

from actcli.files import Buffer
from actcli.formats.safetensors import packed
from actcli.nn.arrays import Array
from actcli.nn.network import Layer
from actcli.training.learner import Learner


def model_file(learner: Learner, parameters: Array, epoch: int) -> list[Buffer]:
    """The parts of a file with a network and all that is needed to use it.

    Args:
        learner: whose network it is.
        parameters: of the network, as they are now or were before.
        epoch: after which they were so; 0: the initial ones.
    """
    return packed(tensors(learner.network.views(parameters)), describe(learner, epoch))


def tensors(layers: Sequence[Layer]) -> dict[str, Array]:
    """The parameters under PyTorch's names; the activations between layers take a number too."""
    named: dict[str, Array] = {}
    for index, layer in enumerate(layers):
        named[f"{2 * index}.weight"] = layer.weights
        named[f"{2 * index}.bias"] = layer.biases
    return named


def describe(learner: Learner, epoch: int) -> dict[str, Any]:
    """What the tensors do not say."""
    data, normalization = learner.dataset, learner.dataset.normalization
    return {
        "format": 1,
        "epoch": epoch,
        "activations": learner.network.activation_names,
        "output": learner.loss.output,
        "loss": learner.config.loss.name,
        "label_smoothing": learner.loss.label_smoothing,
        "dataset": data.name,
        "shape": data.shape,
        "classes": data.classes,
        "normalization": {
            "method": normalization.method,
            "shift": normalization.shift,
            "scale": normalization.scale,
        },
    }
