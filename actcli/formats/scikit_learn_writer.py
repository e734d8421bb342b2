"""The arrays of scikit-learn's multilayer perceptrons: `coefs_` and `intercepts_` in an .npz file.

`MLPClassifier` has one of four activations in all hidden layers, and softmax or logistic outputs;
`MLPRegressor` has identity. Weights have the shape (inputs, units). Beside them the file holds the
normalization, the names of the classes and those of the activations, so that it can be read back.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from actcli.files import Buffer
from actcli.formats.network_parts import NetworkParts, OutputFile, Source, Writer, cannot_hold

TITLE = "scikit-learn's MLPClassifier"
ACTIVATION_NAMES: Mapping[str, str] = {
    "identity": "identity",
    "sigmoid": "logistic",
    "tanh": "tanh",
    "relu": "relu",
}
OUTPUT_NAMES: Mapping[str, str] = {
    "softmax": "softmax",
    "sigmoid": "logistic",
    "identity": "identity",
}
USAGE = """\
import numpy as np
from sklearn.neural_network import {kind}
{imports}
with np.load({path!r}) as file:
    network = {kind}(activation=str(file["activation"]))
    network.coefs_ = [file[f"coefs_{{i}}"] for i in range({layers})]
    network.intercepts_ = [file[f"intercepts_{{i}}"] for i in range({layers})]
    network.out_activation_ = str(file["out_activation"])
    shift, scale, classes = file["shift"], file["scale"], file["classes"]
network.n_layers_, network.n_outputs_ = {layers} + 1, {outputs}
{labels}x = (rows.reshape(len(rows), {inputs}) - shift) * scale  # raw inputs
{result}"""
LABELS = """\
network.classes_ = np.arange(len(classes))
network._label_binarizer = LabelBinarizer().fit(network.classes_)
"""


def scikit_learn_arrays(parts: NetworkParts) -> dict[str, Any]:
    """Return the arrays of the file by name.

    Raises:
        UsageError: the activations are several, or not scikit-learn's.
    """
    arrays: dict[str, Any] = {}
    for index, (weights, biases) in enumerate(parts.layers):
        arrays[f"coefs_{index}"] = np.ascontiguousarray(weights.T)
        arrays[f"intercepts_{index}"] = biases
    names = tuple(dict.fromkeys(parts.activations)) or ("identity",)
    allowed = f"It has one of {', '.join(ACTIVATION_NAMES)} in all hidden layers"
    if len(names) > 1:
        raise cannot_hold(TITLE, f"several activations, {' and '.join(names)}", allowed)
    if names[0] not in ACTIVATION_NAMES:
        raise cannot_hold(TITLE, f"the activation {names[0]!r}", allowed)
    return arrays | {
        "activation": np.array(ACTIVATION_NAMES[names[0]]),
        "out_activation": np.array(OUTPUT_NAMES[parts.output]),
        "shift": np.array(parts.shift),
        "scale": np.array(parts.scale),
        "classes": np.array(parts.classes),
    }


def npz_content(arrays: Mapping[str, Any]) -> bytes:
    """Return an .npz file; unlike NumPy's, its bytes do not depend on the time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def _files(source: Source, path: Path) -> list[OutputFile]:
    content: list[Buffer] = [npz_content(scikit_learn_arrays(source.network()))]
    return [(path, content)]


def _usage(source: Source, path: Path) -> str:
    parts = source.network()
    is_regressor = parts.output == "identity"
    return USAGE.format(
        kind="MLPRegressor" if is_regressor else "MLPClassifier",
        imports="" if is_regressor else "from sklearn.preprocessing import LabelBinarizer\n",
        path=str(path),
        layers=len(parts.layers),
        outputs=parts.units[-1],
        inputs=parts.inputs,
        labels="" if is_regressor else LABELS,
        result="outputs = network.predict(x)"
        if is_regressor
        else "probabilities = network.predict_proba(x)",
    )


SCIKIT_LEARN_WRITER = Writer(TITLE, ".npz", _files, _usage)
