"""Judge models that PyTorch and scikit-learn trained, broken ones and healthy ones.

    pip install torch==2.13.0 scikit-learn safetensors
    python benchmarks/foreign_models.py --seeds 1 3 5

Each model is a weights file and nothing else: `actcli diagnose FILE --dataset DATA` is told neither
the activation nor the scaling. A broken model counts if it is less accurate on the test rows than
the healthy model that it was made of, by more than 2 percentage points. Even seeds are for choosing
thresholds, odd ones for the report.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":  # before NumPy; narrow networks are slower on two threads
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from sklearn import datasets
from sklearn.neural_network import MLPClassifier
from torch import nn
from verdict_page import rate

from actcli.cli import main as actcli_main
from actcli.datasets.dataset import ignore_progress, read_dataset

MARGIN = 0.02
MNIST_ROWS = 4000
ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky-relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "identity": nn.Identity,
}
SKLEARN_ACTIVATIONS = {"sigmoid": "logistic"}


@dataclass(frozen=True)
class Recipe:
    """A training in PyTorch or scikit-learn.

    Args:
        data: the name of a data set below.
        scaling: "raw", "unit" (the whole from 0 to 1), "standard" or "column".
        hidden: units of the hidden layers.
        activation: of all hidden layers.
        optimizer: "sgd" with momentum 0.9, or "adam".
        rate: the learning rate.
        epochs: passes over the rows.
        decay: weight decay.
        dropout: after each hidden layer.
        smoothing: label smoothing.
        loss: "cross-entropy", "softmax twice" or "mse".
        init: deviation of normal initial weights; 0 for the framework's own.
        zero_grad: whether gradients are reset in each step.
        shift: added to the labels in training, modulo K.
        is_sklearn: whether scikit-learn trains it.
    """

    data: str
    scaling: str = "column"
    hidden: tuple[int, ...] = (64,)
    activation: str = "relu"
    optimizer: str = "adam"
    rate: float = 0.003
    epochs: int = 30
    decay: float = 0.0
    dropout: float = 0.0
    smoothing: float = 0.0
    loss: str = "cross-entropy"
    init: float = 0.0
    zero_grad: bool = True
    shift: int = 0
    is_sklearn: bool = False


DIGITS, WINE, CANCER = Recipe("digits", "unit"), Recipe("wine"), Recipe("cancer")
MNIST = Recipe("mnist", "unit", (100, 50), optimizer="sgd", rate=0.05, epochs=10)
SPIRALS = Recipe("spirals", hidden=(32, 32), epochs=60, rate=0.01)
HEALTHY = {
    "digits, relu": DIGITS,
    "digits, raw, tanh": replace(DIGITS, scaling="raw", activation="tanh", hidden=(48, 24)),
    "digits, gelu, smoothing 0.1": replace(DIGITS, activation="gelu", smoothing=0.1),
    "digits, scikit-learn, raw": replace(DIGITS, scaling="raw", is_sklearn=True, rate=0.001),
    "wine, tanh": replace(WINE, activation="tanh", hidden=(16,), epochs=60),
    "wine, scikit-learn": replace(WINE, is_sklearn=True, rate=0.001, epochs=300),
    "cancer, elu": replace(CANCER, activation="elu", hidden=(32, 16)),
    "cancer, scikit-learn, logistic": replace(
        CANCER, activation="sigmoid", is_sklearn=True, epochs=200
    ),
    "iris, sigmoid": Recipe("iris", activation="sigmoid", hidden=(12,), rate=0.03, epochs=100),
    "moons, leaky-relu": Recipe("moons", activation="leaky-relu", hidden=(32,), epochs=60),
    "spirals, silu": replace(SPIRALS, activation="silu"),
    "overlapping Gaussians": Recipe("overlap", hidden=(32,)),
    "noisy labels": Recipe("noisy", "unit", (32,), epochs=15, dropout=0.2),
    "mnist": MNIST,
    "mnist, standardised, dropout": replace(MNIST, scaling="standard", dropout=0.3, rate=0.02),
    "mnist, wide tanh": replace(MNIST, activation="tanh", hidden=(200,)),
    "linear data, identity": Recipe("overlap", activation="identity", hidden=(8,)),
}
# The healthy recipe, and what is changed.
BROKEN = {
    "missing zero_grad": ("mnist", {"zero_grad": False}),
    "missing zero_grad, adam": ("digits, relu", {"zero_grad": False, "rate": 0.03}),
    "rate 10": ("mnist", {"rate": 10.0}),
    "rate 1 with adam": ("digits, relu", {"rate": 1.0}),
    "rate 1e-6": ("digits, relu", {"rate": 1e-6}),
    "raw pixels": ("mnist", {"scaling": "raw"}),
    "softmax twice": ("mnist", {"loss": "softmax twice"}),
    "squared error on logits": ("mnist", {"loss": "mse", "epochs": 3}),
    "no activation": ("spirals, silu", {"activation": "identity"}),
    "N(0, 1) weights": ("mnist", {"init": 1.0}),
    "N(0, 1) weights, tanh": ("mnist, wide tanh", {"init": 1.0}),
    "weights of 1e-4": ("mnist", {"init": 1e-4}),
    "labels shifted": ("digits, relu", {"shift": 3}),
    "wine, columns as they are": ("wine, tanh", {"scaling": "raw"}),
    "wine, scikit-learn, unscaled": ("wine, scikit-learn", {"scaling": "raw"}),
    "decay 0.3": ("mnist", {"decay": 0.3}),
    "alpha 300": ("digits, scikit-learn, raw", {"decay": 300.0}),
    "dropout 0.95": ("mnist", {"dropout": 0.95}),
    "smoothing 0.9": ("digits, gelu, smoothing 0.1", {"smoothing": 0.9}),
    "one epoch": ("iris, sigmoid", {"epochs": 1}),
    "eight sigmoid layers": ("mnist", {"activation": "sigmoid", "hidden": (32,) * 8}),
    "one unit": ("digits, relu", {"hidden": (1,)}),
}


# Data ------------------------------------------------------------------------------------------


def rows_of(name, rng):
    """Return the inputs (N, D) and the labels (N,) of a data set, in random order."""
    if name in {"digits", "wine", "cancer", "iris"}:
        load = {"cancer": datasets.load_breast_cancer}.get(name)
        x, y = (load or getattr(datasets, f"load_{name}"))(return_X_y=True)
    elif name == "moons":
        x, y = datasets.make_moons(800, noise=0.15, random_state=int(rng.integers(1000)))
    elif name == "spirals":
        y = rng.integers(0, 2, 1000)
        radius = np.sqrt(rng.uniform(0.02, 1, 1000))
        angle = 5 * radius + np.pi * y
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        x = x + rng.normal(0, 0.02, x.shape)
    elif name == "overlap":
        y = rng.integers(0, 4, 1500)
        x = np.random.default_rng(7).normal(size=(4, 5))[y] + rng.normal(size=(1500, 5))
    else:
        train = read_dataset("mnist", ignore_progress).train
        chosen = rng.choice(len(train.x), MNIST_ROWS, replace=False)
        x, y = train.x[chosen].reshape(MNIST_ROWS, -1), train.y[chosen]
        if name == "noisy":
            y = np.where(rng.random(len(y)) < 0.15, rng.integers(0, 10, len(y)), y)
    order = rng.permutation(len(x))
    return x[order], y[order].astype(np.int64)


def scaled(x, train, scaling):
    """Return inputs scaled by statistics of the training inputs."""
    x, train = x.astype(np.float64), train.astype(np.float64)
    if scaling == "unit":
        return (x - train.min()) / (train.max() - train.min())
    if scaling == "standard":
        return (x - train.mean()) / train.std()
    if scaling == "column":
        deviation = train.std(axis=0)
        return (x - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return x


# Trainings -------------------------------------------------------------------------------------


def torch_model(recipe, x, y, classes, seed):
    """Return the layers of a network that PyTorch has trained, and a function of its answers."""
    torch.manual_seed(seed)
    model = new_network(recipe, x.shape[1], classes)
    settings = {"lr": recipe.rate, "weight_decay": recipe.decay}
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), **settings)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, **settings)
    inputs, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    entropy = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    for _ in range(recipe.epochs):
        for rows in torch.randperm(len(x)).split(32):
            if recipe.zero_grad:
                optimizer.zero_grad()
            logits = model(inputs[rows])
            if recipe.loss == "mse":
                loss = nn.functional.mse_loss(
                    logits, nn.functional.one_hot(labels[rows], classes).float()
                )
            else:
                twice = recipe.loss == "softmax twice"
                loss = entropy(logits.softmax(dim=1) if twice else logits, labels[rows])
            loss.backward()
            optimizer.step()
    model.eval()

    def answers(x):
        with torch.no_grad():
            return model(torch.tensor(x, dtype=torch.float32)).argmax(dim=1).numpy()

    return model, answers


def new_network(recipe, inputs, classes):
    """Return the layers of an untrained network."""
    sizes, parts = (inputs, *recipe.hidden), []
    for before, after in itertools.pairwise(sizes):
        parts += [nn.Linear(before, after), ACTIVATIONS[recipe.activation]()]
        parts += [nn.Dropout(recipe.dropout)] if recipe.dropout else []
    model = nn.Sequential(*parts, nn.Linear(sizes[-1], classes))
    for layer in model if recipe.init else ():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=recipe.init)
    return model


def loss_of(recipe, logits, labels):
    """Return the mean loss of a mini-batch."""
    if recipe.loss == "mse":
        return nn.functional.mse_loss(
            logits, nn.functional.one_hot(labels, logits.shape[1]).float()
        )
    scores = logits.softmax(dim=1) if recipe.loss == "softmax twice" else logits
    return nn.functional.cross_entropy(scores, labels, label_smoothing=recipe.smoothing)


def write_model(recipe, x, y, classes, seed, stem):
    """Train a model, write its weights as its framework does, and return path and answers."""
    y = (y + recipe.shift) % classes
    if recipe.is_sklearn:
        model = MLPClassifier(
            recipe.hidden,
            activation=SKLEARN_ACTIVATIONS.get(recipe.activation, recipe.activation),
            alpha=recipe.decay or 1e-4,
            learning_rate_init=recipe.rate,
            max_iter=recipe.epochs,
            random_state=seed,
        ).fit(x, y)
        path = stem.with_suffix(".npz")
        np.savez(path, *model.coefs_, *model.intercepts_)
        return path, model.predict
    model, answers = torch_model(recipe, x, y, classes, seed)
    path = stem.with_suffix(".safetensors")
    save_file(model.state_dict(), path)
    return path, answers


def judge(recipe, seed, folder):
    """Return the accuracy of a model on test rows, and what `actcli diagnose` says about it."""
    rng = np.random.default_rng([seed, sum(recipe.data.encode())])
    x, y = rows_of(recipe.data, rng)
    count, classes = len(x) * 3 // 4, int(y.max()) + 1
    data = folder / f"{recipe.data}-{seed}.npz"
    np.savez(data, x_train=x[:count], y_train=y[:count], x_test=x[count:], y_test=y[count:])
    train, test = (scaled(part, x[:count], recipe.scaling) for part in (x[:count], x[count:]))
    path, answers = write_model(recipe, train, y[:count], classes, seed, folder / "model")
    accuracy = float((answers(test) == y[count:]).mean())
    arguments = ["diagnose", str(path), "--dataset", str(data), "--json"]
    result = CliRunner().invoke(actcli_main, arguments, catch_exceptions=False)
    if result.exit_code:
        raise RuntimeError(f"actcli {' '.join(arguments)}: {result.output}")
    return accuracy, json.loads(result.stdout)


def main():
    """Judge all models, and print a line for each and the rates."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", default="", help="part of the names of the models")
    parser.add_argument("-v", "--verbose", action="store_true", help="print what is assumed, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # scikit-learn's, about trainings that are short on purpose
    told = faults = alarms = healthy = 0
    with tempfile.TemporaryDirectory() as temporary:
        for seed in arguments.seeds:
            best = {}
            for name, recipe in HEALTHY.items():
                if arguments.only and arguments.only not in name:
                    continue
                best[name], diagnosis = judge(recipe, seed, Path(temporary))
                accused = report(f"{seed} healthy", name, best[name], diagnosis, arguments.verbose)
                alarms, healthy = alarms + bool(accused), healthy + 1
            for name, (origin, changes) in BROKEN.items():
                if arguments.only and arguments.only not in name:
                    continue
                recipe = replace(HEALTHY[origin], **changes)
                if origin not in best:
                    best[origin] = judge(HEALTHY[origin], seed, Path(temporary))[0]
                accuracy, diagnosis = judge(recipe, seed, Path(temporary))
                is_fault = accuracy < best[origin] - MARGIN
                head = f"{seed} {'broken' if is_fault else 'harmless'}"
                accused = report(head, name, accuracy, diagnosis, arguments.verbose)
                if is_fault:
                    told, faults = told + bool(accused), faults + 1
    print(f"told at all: {rate(told, faults)}; false alarms: {rate(alarms, healthy)}")


def report(head, name, accuracy, diagnosis, verbose):
    """Print a line on a model, and return the rules that are worse than a note."""
    accused = [f["rule"] for f in diagnosis["findings"] if f["severity"] != "note"]
    print(f"{head:12} {name:32} {100 * accuracy:5.1f} %  {', '.join(accused) or '-'}", flush=True)
    if verbose:
        for sentence in diagnosis["assumptions"]["sentences"]:
            print(f"             {sentence}")
        for finding in diagnosis["findings"][:1]:
            first = finding["foreign_remedies"][0].replace("\n", " | ")
            print(f"             {finding['cause']}\n             {first}")
    return accused


if __name__ == "__main__":
    sys.exit(main())
