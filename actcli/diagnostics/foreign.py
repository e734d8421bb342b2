"""Networks of other frameworks: what is assumed of them, and whether something else fits better.

A file with nothing but weights does not say the activation, the normalization of the inputs, or the
loss. Whatever is assumed instead is named, and compared with the other plausible choices on a small
sample: under a wrong assumption every other number of a diagnosis is about another network.
"""

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from actcli.datasets.batches import NORMALIZATIONS, Normalization, Split
from actcli.datasets.dataset import Dataset
from actcli.diagnostics.significance import is_clearly_better
from actcli.diagnostics.symptoms import percent
from actcli.model import Model
from actcli.nn.losses import LOSSES
from actcli.nn.network import MLP

ACTIVATION, NORMALIZATION, LOSS = "activation", "normalization", "loss"  # what a file may not say

# The choices that are compared, the most usual first.
PLAUSIBLE = (
    *("relu", "tanh", "sigmoid", "identity", "leaky-relu", "elu", "gelu", "selu", "silu"),
    *("softplus", "softsign", "relu6"),
)
TRIAL_ROWS, PROOF_ROWS = 400, 2000
SIMILAR = 0.02  # accuracies this close are alike: the most usual choice of them is taken
SIGNIFICANT_ERRORS = 3.0  # standard errors by which another choice must be better
# Share of the errors that another choice must remove, and its gain in accuracy. Under a wrong
# activation, right networks lose a third to four fifths of their errors with the right one. Faulty
# ones lose an eighth with a wrong one that is smoother.
FEWER_ERRORS, CLEAR_GAIN = 0.25, 0.01

# Logits of a regression on one-hot targets: after one to five epochs on MNIST they lie between -0.3
# and 1.1, and the sums of the rows deviate from 1 by 0.24 to 0.31. The sums of other logits deviate
# by 1 or more, and logits of a network that has learnt nothing hardly differ.
ONE_HOT_LOW, ONE_HOT_HIGH = -0.6, 1.6
ONE_HOT_SUM_DEVIATION, ONE_HOT_SPREAD = 0.45, 0.1


@dataclass(frozen=True)
class Foreign:
    """A file of another framework.

    Args:
        framework: "PyTorch", "Keras" or "scikit-learn".
        unsaid: what the file does not say: any of "activation", "normalization" and "loss".
        notes: sentences on what was folded or assumed when the file was read.
    """

    framework: str
    unsaid: frozenset[str]
    notes: tuple[str, ...] = ()


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


def is_one_hot_regression(model: Model, split: Split) -> bool:
    """Return whether the logits are those of a regression on one-hot targets."""
    sample = split.sample(PROOF_ROWS)
    logits = model.split_logits(sample).astype(float)
    if logits.shape[1] < 2 or not np.isfinite(logits).all():
        return False
    low, high = np.quantile(logits, (0.01, 0.99))
    sums = logits.sum(axis=1)
    deviation = math.sqrt(float(np.square(sums - 1).mean()))
    spread = float(logits.std(axis=1).mean())  # all 0.1 is a network that has not learnt anything
    is_between = low > ONE_HOT_LOW and high < ONE_HOT_HIGH
    return bool(is_between and deviation < ONE_HOT_SUM_DEVIATION and spread > ONE_HOT_SPREAD)


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
    better = _better(model, dataset, unsaid)
    if better:
        sentences.append(better)
    is_regression = LOSS in unsaid and is_one_hot_regression(model, dataset.train)
    if is_regression:
        model = replace(model, loss=LOSSES["mse"]("identity", 0.0))
        sentences.append(
            "The logits of each row sum to about 1 and lie near 0 and 1: the network was trained "
            "by a squared error on one-hot targets. They are not log-probabilities."
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


def _better(model: Model, dataset: Dataset, unsaid: Collection[str]) -> str:
    """Return a sentence on the choice that fits clearly better; empty if there is none."""
    current = model.network.activation_names
    activations = [current]
    if ACTIVATION in unsaid and current:
        activations += [(name,) * len(current) for name in PLAUSIBLE]
    normalizations = [model.normalization]
    if NORMALIZATION in unsaid:
        normalizations += [fit(dataset.train) for fit in NORMALIZATIONS.values()]
    candidates = [
        replace(model, network=_with(model.network, names), normalization=normalization)
        for names, normalization in itertools.product(activations, normalizations)
    ]
    split = dataset.train
    trial = split.sample(TRIAL_ROWS)
    rights = [int(np.count_nonzero(_right(candidate, trial))) for candidate in candidates]
    enough = max(rights) - SIMILAR * len(trial)
    best = next(each for each, right in zip(candidates, rights, strict=True) if right >= enough)
    proof = split.sample(PROOF_ROWS)
    old, new = _right(model, proof), _right(best, proof)
    gain = np.count_nonzero(new) - np.count_nonzero(old)
    needed = max(CLEAR_GAIN * len(proof), FEWER_ERRORS * np.count_nonzero(~old))
    if not is_clearly_better(new, old, SIGNIFICANT_ERRORS) or gain < needed:
        return ""
    changed, options = [], []
    if best.network.activation_names != current:
        changed.append(best.network.activation_names[0])
        options.append(f"--activation {best.network.activation_names[0]}")
    if best.normalization.method != model.normalization.method:
        changed.append(_inputs(best.normalization, dataset))
        options.append(f"--normalize {best.normalization.method}")
    assumed = " and ".join(_assumed_names(model, dataset, unsaid))
    return (
        f"Assumed: {assumed}, which gives {percent(float(old.mean()))}. With "
        f"{' and '.join(changed)} it is {percent(float(new.mean()))}: {' '.join(options)}"
    )


def _with(network: MLP, activations: tuple[str, ...]) -> MLP:
    other = MLP(network.sizes, activations)
    other.parameters[:] = network.parameters
    return other


def _right(model: Model, split: Split) -> NDArray[np.bool_]:
    """Return whether each row is predicted right."""
    logits = model.split_logits(split)
    if logits.shape[1] == 1:
        return np.asarray((logits[:, 0] > 0) == split.labels)
    return np.asarray(logits.argmax(axis=1) == split.labels)
