"""Generated set-ups: a healthy training drawn from a seed, and a mutation of it.

A case is a function of its seed. Its healthy training draws the data, the network and the optimizer
from ranges that usually heal; `generated_cases.py` checks that it does, against references on the
same data, and asks for the next attempt if not. Half of the cases are judged as a run, with
configuration and history; the other half from the weights file alone, as a foreign model would be.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from data_mutations import Plant
from generated_data import KINDS, ROWS, Arrays
from mutations import MUTATIONS, Mutation

VERSION = 1  # of the cases; a case with the same seed and version is the same case
DATA_SEEDS = 4  # data sets of each kind
ATTEMPTS = 12  # healthy trainings to draw until one learns what the references learn

ACTIVATIONS = ("relu", "relu", "tanh", "gelu", "elu", "leaky-relu", "silu", "selu", "sigmoid")
# Powers of ten between which each optimizer's learning rate is drawn. The trainings are short.
RATES = {
    "sgd": (-1.5, -0.7),
    "adam": (-2.7, -2.1),
    "adamw": (-2.7, -2.1),
    "rmsprop": (-2.8, -2.3),
    "adagrad": (-1.6, -1.0),
}
OPTIMIZERS = ("sgd", "sgd", "adam", "adam", "adamw", "rmsprop", "adagrad")
STEPS = (300, 600)  # of a healthy training

Settings = dict[str, Any]


@dataclass(frozen=True)
class Healthy:
    """A training that should be healthy.

    Args:
        kind: the kind of its data.
        data_seed: the seed of its data.
        settings: key of the configuration -> value, without data.name and training.seed.
    """

    kind: str
    data_seed: int
    settings: Mapping[str, Any]

    @property
    def data_name(self) -> str:
        """The name of its data set."""
        return f"{self.kind}-{self.data_seed}"

    def arrays(self) -> Arrays:
        """Return its data."""
        return KINDS[self.kind](np.random.default_rng([self.data_seed, sum(self.kind.encode())]))


@dataclass(frozen=True)
class Case:
    """A healthy training and a mutation of it.

    Args:
        seed: the seed of the case; even seeds are for choosing thresholds, odd ones for the report.
        healthy: the healthy training.
        name: the name of the mutation.
        plant: the mutation, with its strength.
        from_weights: whether the models are judged from their weights alone.
    """

    seed: int
    healthy: Healthy
    name: str
    plant: Plant
    from_weights: bool

    @property
    def mutation(self) -> Mutation:
        """The operator."""
        return MUTATIONS[self.name]

    def mutated_arrays(self, arrays: Arrays) -> Arrays:
        """Return the data that the mutated training trains on."""
        if self.plant.data is None:
            return arrays
        return self.plant.data(arrays, np.random.default_rng([self.seed, 2]))

    def describe(self) -> str:
        """Return the change in words."""
        changes = ", ".join(f"{key} = {value}" for key, value in self.plant.changes.items())
        return ", ".join(part for part in (changes, self.plant.strength) if part)


def draw(seed: int) -> Iterator[Case]:
    """Yield the attempts of a case: the same mutation, with another healthy training each time."""
    rng = np.random.default_rng([VERSION, seed])
    from_weights = seed // 2 % 2 == 1
    names = [name for name, each in MUTATIONS.items() if each.from_weights in {None, from_weights}]
    # Every fourth seed has the same parity and the same half: these go through all mutations.
    name = names[seed // 4 % len(names)]
    mutation = MUTATIONS[name]
    for attempt in range(ATTEMPTS):
        healthy = draw_healthy(np.random.default_rng([VERSION, seed, attempt]))
        while not mutation.fits(healthy):
            healthy = draw_healthy(rng)
        plant = mutation.plant(healthy, np.random.default_rng([VERSION, seed, attempt, 1]))
        yield Case(seed, healthy, name, plant, from_weights)


def draw_healthy(rng: np.random.Generator) -> Healthy:
    """Return a training that is drawn from ranges that usually heal."""
    kind = str(rng.choice(list(KINDS)))
    data_seed = int(rng.integers(DATA_SEEDS))
    image = kind.startswith("mnist")
    activation = str(rng.choice(ACTIVATIONS))
    # Deep sigmoid networks vanish by themselves, and 2-D data need more than one sigmoid layer.
    depth = 1 if activation == "sigmoid" else int(rng.integers(1, 4))
    width = int(rng.choice([24, 32, 48, 64] if image else [16, 24, 32, 64]))
    hidden = [max(12, width >> (layer // 2)) for layer in range(depth)]
    optimizer = str(rng.choice(OPTIMIZERS))
    batch = int(rng.choice([16, 32, 64] if image else [16, 32]))
    rows = ROWS[kind] * 5 // 6
    steps = int(rng.integers(*STEPS))
    settings: Settings = {
        "data.normalize": str(rng.choice(["unit", "standard"])) if image else "standard",
        "model.hidden": hidden,
        "model.activation": activation,
        "optimizer.name": optimizer,
        "optimizer.learning_rate": float(f"{10 ** rng.uniform(*RATES[optimizer]):.3g}"),
        "optimizer.schedule": str(rng.choice(["one-cycle", "one-cycle", "cosine", "constant"])),
        "training.batch_size": batch,
        "training.epochs": max(4, min(60, round(steps * batch / rows))),
    }
    if rng.random() < 0.15:
        settings["loss.name"] = "binary-cross-entropy"
    if rng.random() < 0.1:
        settings["model.dropout"] = 0.1
    return Healthy(kind, data_seed, settings)


# Trainings that show what can be learnt from a data set.
REFERENCES: tuple[Settings, ...] = tuple(
    {
        "data.normalize": "standard",
        "model.hidden": hidden,
        "model.activation": activation,
        "model.dropout": dropout,
        "optimizer.name": "adam",
        "optimizer.learning_rate": 0.004,
        "training.batch_size": 32,
        "training.epochs": 12,
    }
    for hidden, activation, dropout in (
        ([64, 32], "relu", 0.0),
        ([64, 32], "tanh", 0.0),
        ([96, 96], "relu", 0.25),
    )
)


def save_data(arrays: Arrays, path: Path) -> Path:
    """Write a data set, unless it exists."""
    if not path.exists():
        part = path.with_name(f"{path.stem}.{np.random.default_rng().integers(1 << 30)}.part.npz")
        arrays.save(str(part))
        part.replace(path)
    return path
