"""Write readme_models/: one small network of each framework, trained on MNIST, for the README.

The README shows how to save such a model and how to diagnose it; a test runs those commands on
these files. Run the script once in an environment with the frameworks:

    KERAS_BACKEND=torch python tests/oracles/make_readme_models.py

Made with Python 3.11, PyTorch 2.13.0 (CPU), onnxscript 0.7.2, Keras 3.15.1 and scikit-learn 1.9.1.
The file outputs.npz holds the logits (PyTorch, ONNX) or the probabilities of each file for the
first 20 test rows.
"""

import gzip
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from torch import nn

FOLDER = Path(__file__).parent / "readme_models"
MNIST = Path(__file__).parents[2] / "data" / "mnist"
UNITS, CLASSES, SHOWN = 16, 10, 20
MEAN, DEVIATION = 0.1307, 0.3081


def read(name: str, header: int) -> Any:
    with gzip.open(MNIST / f"{name}.gz") as file:
        return np.frombuffer(file.read()[header:], np.uint8)


def of_torch(x: Any, y: Any, shown: Any) -> Any:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, UNITS), nn.ReLU(), nn.Linear(UNITS, CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    inputs = torch.tensor((x / 255 - MEAN) / DEVIATION, dtype=torch.float32)
    labels = torch.tensor(y.astype(np.int64))
    for _ in range(2):
        for batch in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    torch.save(model.state_dict(), FOLDER / "digits.pt")
    with torch.no_grad():
        return model(torch.tensor((shown / 255 - MEAN) / DEVIATION, dtype=torch.float32)).numpy()


def of_onnx(_x: Any, _y: Any, shown: Any) -> Any:
    """Export the network of digits.pt, as the README does."""
    model = nn.Sequential(nn.Linear(784, UNITS), nn.ReLU(), nn.Linear(UNITS, CLASSES))
    model.load_state_dict(torch.load(FOLDER / "digits.pt"))
    inputs = torch.tensor((shown / 255 - MEAN) / DEVIATION, dtype=torch.float32)
    path = FOLDER / "digits.onnx"
    torch.onnx.export(model.eval(), (inputs[:1],), path, external_data=False, verbose=False)
    with torch.no_grad():
        return model(inputs).numpy()


def of_keras(x: Any, y: Any, shown: Any) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            *(keras.Input((784,)), layers.Dense(UNITS, activation="relu"), layers.Dropout(0.1)),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    model.fit(x / 255, y, batch_size=128, epochs=2, verbose=0)
    model.save(FOLDER / "digits.keras")
    return model.predict(shown / 255, verbose=0)


def of_scikit_learn(x: Any, y: Any, shown: Any) -> Any:
    m = MLPClassifier((UNITS,), max_iter=2, random_state=0).fit(x / 255, y)
    arrays = [each.astype(np.float32) for each in (*m.coefs_, *m.intercepts_)]
    np.savez(FOLDER / "digits.npz", *arrays)
    return m.predict_proba(shown / 255)


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    FOLDER.mkdir(exist_ok=True)
    x = read("train-images-idx3-ubyte", 16).reshape(-1, 784)
    y = read("train-labels-idx1-ubyte", 8)
    shown = read("t10k-images-idx3-ubyte", 16).reshape(-1, 784)[:SHOWN]
    makers = {"digits.pt": of_torch, "digits.onnx": of_onnx, "digits.keras": of_keras}
    makers["digits.npz"] = of_scikit_learn
    outputs = {name: make(x, y, shown) for name, make in makers.items()}
    np.savez_compressed(FOLDER / "outputs.npz", **outputs)


if __name__ == "__main__":
    main()
