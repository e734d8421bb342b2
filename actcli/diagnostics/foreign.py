"""Networks of other frameworks: what is assumed of them, and whether something else fits better.

A file with nothing but weights does not say the activation, the normalization of the inputs, or the
loss. Whatever is assumed instead is named, and compared with the other plausible choices on a small
sample: under a wrong assumption every other number of a diagnosis is about another network.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from actcli.datasets.batches import Normalization
from actcli.datasets.dataset import Dataset
from actcli.diagnostics.loss_from_logits import is_one_hot_regression, label_smoothing
from actcli.diagnostics.plausible import best_fit, candidates_of
from actcli.diagnostics.symptoms import percent
from actcli.model import Model
from actcli.nn.losses import LOSSES

ACTIVATION, NORMALIZATION, LOSS = "activation", "normalization", "loss"  # what a file may not say


@dataclass(frozen=True)
class Foreign:
    """A file of another framework.

    Args:
        framework: "PyTorch", "Keras" or "scikit-learn".
        unsaid: what the file does not say: any of "activation", "normalization" and "loss".
        notes: sentences on what was folded or assumed when the file was read.
        choice: why an activation was chosen that neither the file nor an option names; empty if
            none was chosen.
    """

    framework: str
    unsaid: frozenset[str]
    notes: tuple[str, ...] = ()
    choice: str = ""


@dataclass(frozen=True)
class Assumptions:
    """What was assumed of a network of another framework.

    Args:
        framework: "PyTorch", "Keras" or "scikit-learn".
        sentences: what was assumed, and what fits better, the most important first.
    """

    framework: str
    sentences: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {"framework": self.framework, "sentences": list(self.sentences)}


def choose_activation(
    model: Model, dataset: Dataset, normalization_is_open: bool
) -> tuple[Model, str]:
    """Return a model with the activation and normalization that fit best, and a sentence on them.

    Args:
        model: the model under the most usual assumptions.
        dataset: its data set.
        normalization_is_open: whether another normalization may be chosen, too.
    """
    train = dataset.train
    candidates = candidates_of(model, train, True, normalization_is_open)
    best, usual, accuracy = best_fit(candidates, train)
    parts = [ACTIVATION, *([NORMALIZATION] if normalization_is_open else [])]
    tried = " and ".join(_assumed_names(model, dataset, parts))
    names = " and ".join(_assumed_names(best, dataset, parts))
    if names == tried:
        return best, (
            f"The file does not name its activation. With {tried} the accuracy is "
            f"{percent(usual)}; none of {len(candidates) - 1} other choices is clearly better."
        )
    return best, (
        f"The file does not name its activation. With {tried} the accuracy would be "
        f"{percent(usual)}. With {names} it is {percent(accuracy)}, and so they are assumed: "
        f"{_options(best, parts)}"
    )


def examine_assumptions(
    model: Model, dataset: Dataset, foreign: Foreign
) -> tuple[Model, Assumptions]:
    """Return a model with the loss that its logits show, and what is assumed of it.

    The assumptions are compared with the other plausible choices; a choice that fits better is
    named and not taken.

    Args:
        model: the model under the assumptions.
        dataset: its data set.
        foreign: what the file of the model does not say.
    """
    unsaid, sentences = foreign.unsaid, []
    better = foreign.choice or _better(model, dataset, unsaid)
    if better:
        sentences.append(better)
    if model.loss_name != "mse" and is_one_hot_regression(model, dataset.train):
        against = "" if LOSS in unsaid else f", and not by {model.loss_name}"
        model = replace(model, loss=LOSSES["mse"]("identity", 0.0))
        sentences.append(
            "The logits of each row sum to about 1 and lie near 0 and 1: the network was trained "
            f"by a squared error on one-hot targets{against}. They are not log-probabilities."
        )
    elif model.loss_name == "cross-entropy" and not model.loss.label_smoothing:
        smoothing = label_smoothing(model, dataset.train)
        if smoothing:
            model = replace(model, loss=LOSSES["cross-entropy"]("auto", smoothing))
            sentences.append(
                "The largest probability levels off, and the other classes share the rest: the "
                f"network was trained with a label smoothing of about {smoothing:.2g}."
            )
    names = _assumed_names(model, dataset, unsaid)
    if LOSS in unsaid:
        names.append(f"{model.loss_name} of {model.loss.output} outputs")
    if names:
        sentences.append(f"Assumed, as the file does not say it: {', '.join(names)}.")
    return model, Assumptions(foreign.framework, (*sentences, *foreign.notes))


def _assumed_names(model: Model, dataset: Dataset, unsaid: Collection[str]) -> list[str]:
    names = []
    if ACTIVATION in unsaid and model.network.activation_names:
        names.append(" and ".join(dict.fromkeys(model.network.activation_names)))
    if NORMALIZATION in unsaid:
        names.append(_inputs(model.normalization, dataset))
    return names


def _inputs(normalization: Normalization, dataset: Dataset) -> str:
    """Return the inputs of a normalization in words."""
    if normalization.method == "unit" and dataset.train.pixels.dtype == np.uint8:
        return "pixels / 255"
    return {
        "unit": "inputs from 0 to 1",
        "standard": "standardised inputs",
        "column": "standardised columns",
        "none": "raw inputs",
    }[normalization.method]


def _options(model: Model, parts: Collection[str]) -> str:
    """Return the options that choose the activation and the normalization of a model."""
    options = []
    if ACTIVATION in parts:
        options.append(f"--activation {model.network.activation_names[0]}")
    if NORMALIZATION in parts:
        options.append(f"--normalize {model.normalization.method}")
    return " ".join(options)


def _better(model: Model, dataset: Dataset, unsaid: Collection[str]) -> str:
    """Return a sentence on the choice that fits clearly better; empty if there is none."""
    train = dataset.train
    candidates = candidates_of(model, train, ACTIVATION in unsaid, NORMALIZATION in unsaid)
    best, old, new = best_fit(candidates, train)
    if best is model:
        return ""
    changed = set()
    if best.network.activation_names != model.network.activation_names:
        changed.add(ACTIVATION)
    if best.normalization.method != model.normalization.method:
        changed.add(NORMALIZATION)
    assumed = " and ".join(_assumed_names(model, dataset, unsaid))
    return (
        f"Assumed: {assumed}, which gives {percent(old)}. With "
        f"{' and '.join(_assumed_names(best, dataset, changed))} it is {percent(new)}: "
        f"{_options(best, changed)}"
    )
