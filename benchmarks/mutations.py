"""Mutations: changes that may turn a healthy training into a faulty one.

They follow the operators of DeepCrime (Humbatova, Jahangirova, Tonella, ISSTA 2021), extended by
initial weights, clipping and depth. A mutation changes the configuration, the training rows, or
both, with a random strength. Whether it is a fault is not decided here: `generated_cases.py`
measures what it costs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from data_mutations import (
    Changes,
    Healthy,
    Plant,
    few,
    imbalanced,
    log_uniform,
    of_data,
    permuted,
    shuffled,
    tiny_inputs,
    uneven_columns,
)

from actcli.registry import Registry


@dataclass(frozen=True)
class Mutation:
    """One operator.

    Args:
        plant: draws the strength.
        accepted: the rules that name the cause.
        fits: whether the mutation means anything for a healthy training.
        curable: whether a change of the configuration can undo the mutation.
        undo: changes that undo the mutation as far as the rows that are left allow; the accuracy
            that can be regained is then that of trainings with these changes.
        from_weights: True if the mutation is judged from the weights file only, on the unchanged
            rows; None for either way.
    """

    plant: Callable[[Any, np.random.Generator], Plant]
    accepted: frozenset[str]
    fits: Callable[[Any], bool] = lambda _: True
    curable: bool = True
    undo: Changes = field(default_factory=dict)
    from_weights: bool | None = None


MUTATIONS: Registry[Mutation] = Registry("mutation")


def _add(name: str, plant: Any, accepted: str, **more: Any) -> None:
    MUTATIONS.register(name)(Mutation(plant, frozenset(accepted.split()), **more))


def _rate(low: float, high: float) -> Any:
    def plant(healthy: Healthy, rng: np.random.Generator) -> Plant:
        rate = healthy.settings["optimizer.learning_rate"] * log_uniform(rng, low, high)
        return Plant({"optimizer.learning_rate": float(f"{rate:.3g}")})

    return plant


def _value(key: str, draw: Callable[[np.random.Generator], Any]) -> Any:
    return lambda _, rng: Plant({key: draw(rng)})


def _deeper(activation: str | None, low: int, high: int) -> Any:
    """Return a mutation that repeats the last hidden layer."""

    def plant(healthy: Healthy, rng: np.random.Generator) -> Plant:
        hidden = list(healthy.settings["model.hidden"])
        depth = int(rng.integers(low, high + 1))
        hidden += [min(hidden[-1], 32)] * (depth - len(hidden))
        changes: Changes = {"model.hidden": hidden}
        return Plant(changes | ({"model.activation": activation} if activation else {}))

    return plant


def _bottleneck(healthy: Healthy, rng: np.random.Generator) -> Plant:
    """Give all hidden layers 1 unit, or up to 3 for images, which have ten classes."""
    units = int(rng.integers(1, 4)) if _is_image(healthy) else 1
    return Plant({"model.hidden": [units] * len(healthy.settings["model.hidden"])})


def _another_optimizer(healthy: Healthy, _: np.random.Generator) -> Plant:
    """Exchange sgd and adam, but keep the learning rate."""
    sgd = healthy.settings["optimizer.name"] == "sgd"
    return Plant({"optimizer.name": "adam" if sgd else "sgd"})


def _is_sgd(healthy: Healthy) -> bool:
    return bool(healthy.settings["optimizer.name"] == "sgd")


def _is_image(healthy: Healthy) -> bool:
    return healthy.kind.startswith("mnist")


def _mse(output: str | None) -> Any:
    def plant(_: Healthy, rng: np.random.Generator) -> Plant:
        link = output or str(rng.choice(["softmax", "sigmoid"]))
        return Plant({"loss.name": "mse", "model.output": link})

    return plant


LOW = "learning-rate-too-low underfitting-too-short"
HIGH = "learning-rate-too-high dead-units"

_add("rate-high", _rate(0.7, 2.5), HIGH)
_add("rate-low", _rate(-4, -1.5), LOW)
_add("optimizer", _another_optimizer, f"{LOW} {HIGH}")
_add(
    "momentum",
    _value("optimizer.momentum", lambda r: 1 - log_uniform(r, -3, -1.7)),
    HIGH,
    fits=_is_sgd,
)
_add(
    "clipping",
    _value("optimizer.clip_norm", lambda r: log_uniform(r, -5, -2)),
    f"starving-clipping {LOW}",
    fits=_is_sgd,
)
_add(
    "weight-decay",
    _value("optimizer.weight_decay", lambda r: log_uniform(r, -2, 1.7)),
    "over-regularised",
)
_add(
    "dropout", _value("model.dropout", lambda r: round(r.uniform(0.7, 0.97), 2)), "over-regularised"
)
_add(
    "label-smoothing",
    _value("loss.label_smoothing", lambda r: round(r.uniform(0.8, 0.99), 3)),
    "over-regularised",
)
_add("epochs", _value("training.epochs", lambda r: int(r.integers(1, 3))), LOW)
_add("batch-huge", _value("training.batch_size", lambda _: 100_000), f"batch-too-large {LOW}")
_add("identity", _value("model.activation", lambda _: "identity"), "no-nonlinearity")
_add("sigmoid-deep", _deeper("sigmoid", 4, 8), "vanishing-gradient")
_add(
    "depth",
    _deeper(None, 10, 20),
    "vanishing-gradient exploding-gradient born-dead bottleneck too-deep",
)
_add("bottleneck", _bottleneck, "bottleneck born-dead")
_add("init-zeros", _value("model.init", lambda _: "zeros"), "symmetric-units")
_add(
    "init-large",
    _value("model.init_scale", lambda r: log_uniform(r, 0.7, 2)),
    "poor-initial-loss large-weights saturation exploding-gradient",
)
_add(
    "init-normal",
    _value("model.init", lambda _: "standard-normal"),
    "poor-initial-loss large-weights saturation exploding-gradient",
)
_add(
    "init-small",
    _value("model.init_scale", lambda r: log_uniform(r, -4, -1.5)),
    "small-weights vanishing-gradient",
)
_add("unscaled", _value("data.normalize", lambda _: "none"), "unscaled-input")
_add("scaled-twice", tiny_inputs, "unscaled-input", fits=_is_image)
_add("columns", uneven_columns, "unscaled-input", fits=lambda h: not _is_image(h))
_add("mse", _mse(None), "loss-output-mismatch", fits=_is_sgd)
_add("regression", _mse("identity"), "loss-output-mismatch", fits=_is_sgd)
_add(
    "labels-shuffled",
    of_data(shuffled, lambda r: r.uniform(0.5, 1), "of the labels"),
    "wrong-labels not-learning",
    curable=False,
)
_add(
    "labels-permuted",
    of_data(permuted, lambda r: int(r.integers(10)), "shift"),
    "permuted-labels wrong-labels",
    curable=False,
    from_weights=True,
)
_add(
    "imbalance",
    of_data(imbalanced, lambda r: r.uniform(0.85, 0.99), "of one class"),
    "class-imbalance",
    undo={"loss.class_weight": "balanced"},
)
_add(
    "rows-few",
    of_data(few, lambda r: int(r.integers(20, 80)), "rows"),
    # With as many epochs, few rows also mean few updates: often simple classifiers learn the same
    # rows, and the network has not yet.
    f"overfitting {LOW}",
    curable=False,
)
