"""Write keras_models/: small networks that Keras saved, as .keras and .h5, and their outputs.

The tests of actcli.formats read each file and compare the outputs. They need h5py, but no Keras;
this script needs Keras, with any backend, and nothing of actcli:

    KERAS_BACKEND=torch python tests/oracles/make_keras_models.py keras3
    python tests/oracles/make_keras_models.py keras2

Made with Python 3.11, once with Keras 3.15.1 on PyTorch 2.13.0 (CPU), and once with Keras 2.15.0 of
TensorFlow 2.15.1. The argument is the beginning of the files' names. For each of them, VERSION.npz
holds

    cases          a JSON object: the name of each file that can be read, and its activations,
                   output and loss, as actcli names them
    inputs         20 rows of 6 inputs
    outputs/FILE   what Keras computes for the inputs; the logits, if the last layer is linear
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).parent / "keras_models"
INPUTS, CLASSES, ROWS = 6, 3, 20


def sequential() -> Any:
    model = keras.Sequential(
        [
            keras.Input((2, 3)),
            *(
                layers.Flatten(),
                layers.Dense(5, activation="relu", name="zeta"),
                layers.Dropout(0.2),
            ),
            *(layers.Dense(5, activation="relu", name="alpha"), layers.Dense(CLASSES, "softmax")),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def functional() -> Any:
    inputs = keras.Input((INPUTS,))
    x = layers.Dense(5, use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("tanh")(x)
    x = layers.Dense(4)(x)
    x = layers.LeakyReLU(0.01)(x)
    model = keras.Model(inputs, layers.Dense(CLASSES, name="logits")(x))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def norms_after() -> Any:
    return keras.Sequential(
        [
            keras.Input((INPUTS,)),
            layers.BatchNormalization(),
            layers.Dense(5, activation="gelu" if keras.__version__ > "3" else "elu"),
            layers.BatchNormalization(scale=False, epsilon=0.01),
            *(layers.Dense(4), layers.ReLU(max_value=6.0), layers.BatchNormalization(center=False)),
            layers.Dense(CLASSES, activation="sigmoid"),
        ]
    )


def rescaled() -> Any:
    return keras.Sequential(
        [
            keras.Input((INPUTS,)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Dense(5, activation="softplus"),
            *(layers.Dense(CLASSES), layers.Softmax()),
        ]
    )


def regression() -> Any:
    model = keras.Sequential(
        [keras.Input((INPUTS,)), layers.Dense(5), layers.ELU(), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    return model


def activations() -> Any:
    names = ["selu", "softsign", "elu", "swish", "sigmoid", "linear"]
    hidden = [layers.Dense(3, activation=name) for name in names]
    return keras.Sequential([keras.Input((INPUTS,)), *hidden, layers.Dense(CLASSES)])


def of_dtype(dtype: str) -> Any:
    return keras.Sequential(
        [
            keras.Input((INPUTS,), dtype=dtype),
            layers.Dense(5, activation="tanh", dtype=dtype),
            layers.Dense(CLASSES, dtype=dtype),
        ]
    )


def branched() -> Any:
    inputs = keras.Input((INPUTS,))
    x = layers.Dense(INPUTS, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.Add()([inputs, x])))


def convolution() -> Any:
    return keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(CLASSES)]
    )


def cases() -> dict[str, tuple[Any, tuple[str, ...], str, str]]:
    """Return each model with its activations, output and loss."""
    smooth = "gelu" if keras.__version__ > "3" else "elu"
    found = {
        "sequential": (sequential(), ("relu", "relu"), "softmax", "cross-entropy"),
        "functional": (functional(), ("tanh", "leaky-relu"), "softmax", "cross-entropy"),
        "norms_after": (norms_after(), (smooth, "relu6"), "sigmoid", "binary-cross-entropy"),
        "rescaled": (rescaled(), ("softplus",), "softmax", "cross-entropy"),
        "regression": (regression(), ("elu",), "identity", "mse"),
        "activations": (
            activations(),
            ("selu", "softsign", "elu", "silu", "sigmoid", "identity"),
            *("softmax", "cross-entropy"),
        ),
    }
    for dtype in ("float16", "float64", *(["bfloat16"] if keras.__version__ > "3" else [])):
        found[dtype] = (of_dtype(dtype), ("tanh",), "softmax", "cross-entropy")
    return found


def randomize(model: Any, rng: np.random.Generator) -> None:
    """Give a model random weights, and all batch normalizations random statistics."""
    for layer in model.layers:
        weights = [rng.normal(size=each.shape) for each in layer.get_weights()]
        if isinstance(layer, layers.BatchNormalization):
            weights[-1] = rng.uniform(0.1, 3, size=weights[-1].shape)
        layer.set_weights(weights)


def outputs(model: Any, inputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what Keras computes for the inputs, in float64 by the weights of the model."""
    shape = (-1, *model.input_shape[1:])
    keras.backend.set_floatx("float64")
    exact = model.__class__.from_config(of_float64(model.get_config()))
    exact.set_weights([each.astype("float64") for each in model.get_weights()])
    keras.backend.set_floatx("float32")
    return np.asarray(exact.predict(inputs.reshape(shape), verbose=0))


def of_float64(config: Any) -> Any:
    """Return a configuration with float64 in place of each dtype."""
    if isinstance(config, dict):
        return {
            key: "float64" if key == "dtype" else of_float64(value) for key, value in config.items()
        }
    return [of_float64(each) for each in config] if isinstance(config, list) else config


def main(version: str) -> None:
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(2)
    FOLDER.mkdir(exist_ok=True)
    inputs = rng.normal(size=(ROWS, INPUTS))
    arrays, described = {"inputs": inputs}, {}
    for name, (model, *description) in cases().items():
        randomize(model, rng)
        for suffix in ("keras", "h5"):
            file = f"{version}_{name}.{suffix}"
            model.save(FOLDER / file)
            described[file] = description
            arrays[f"outputs/{file}"] = outputs(model, inputs)
    for name, model in (("branched", branched()), ("convolution", convolution())):
        model.save(FOLDER / f"{version}_refused_{name}.keras")
    sequential().save_weights(FOLDER / f"{version}_refused.weights.h5")
    np.savez_compressed(FOLDER / f"{version}.npz", cases=json.dumps(described), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
