"""Evidence: all the numbers that a verdict rests on, of one network on one split.

What only a run knows, how it was trained and how its epochs went, is None for weights that came
from elsewhere; a rule that needs it then stays silent.
"""

from dataclasses import dataclass

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Split
from actcli.diagnostics.gradients import LayerGradient, gradient_flow
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.probe import forward_pass, probe
from actcli.diagnostics.units import LayerUnits, unit_states
from actcli.model import Model
from actcli.nn.network import MLP
from actcli.nn.optimizers import OPTIMIZERS
from actcli.training.events import EpochDone


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Args:
        optimizer: its name.
        learning_rate: the peak of the schedule.
        usual_learning_rate: the default of the optimizer.
        momentum: of the optimizer.
        batch_size: rows of a mini-batch.
        epochs: the number in the configuration.
        init: the initializer of the weights.
        history: the epochs that were trained.
        kept_epoch: the epoch whose network is examined.
        diverged: whether the loss stopped being finite.
    """

    optimizer: str
    learning_rate: float
    usual_learning_rate: float
    momentum: float
    batch_size: int
    epochs: int
    init: str
    history: tuple[EpochDone, ...]
    kept_epoch: int
    diverged: bool

    @classmethod
    def of(
        cls,
        config: ResolvedConfig,
        history: tuple[EpochDone, ...] = (),
        kept_epoch: int = 0,
        diverged: bool = False,
    ) -> "Training":
        """Return the training of a configuration, with its history so far."""
        optimizer, training = config.optimizer, config.training
        return cls(
            optimizer=optimizer.name,
            learning_rate=optimizer.learning_rate,
            usual_learning_rate=OPTIMIZERS[optimizer.name].default_learning_rate,
            momentum=optimizer.momentum,
            batch_size=training.batch_size,
            epochs=training.epochs,
            init=config.model.init,
            history=history,
            kept_epoch=kept_epoch,
            diverged=diverged,
        )


@dataclass(frozen=True)
class Evidence:
    """What was measured.

    Args:
        model, dataset, split: what was examined, by name. rows: how many rows of the split.
        classes: K. loss, output: by name. loss_value: mean loss over the rows, as it was trained
        (with its label smoothing). input_mean, input_size: mean and root mean square of the inputs
        after normalisation. normalization: by name. gradients, units, outputs: the three tables; no
        outputs for an identity output. accuracy: share of the rows that are answered right.
        predicted: how often each class is answered. class_rows: rows of each class. non_finite:
        layers, from 1, with a parameter that is inf or NaN. duplicates: for each layer, the share
        of units whose incoming weights and bias equal those of
            another unit of the layer.
        initial_loss: mean loss of the initial network over the rows, if it is known.
        training: None for weights from elsewhere.
    """

    model: str
    dataset: str
    split: str
    rows: int
    classes: int
    loss: str
    output: str
    loss_value: float
    input_mean: float
    input_size: float
    normalization: str
    gradients: tuple[LayerGradient, ...]
    units: tuple[LayerUnits, ...]
    outputs: Outputs | None
    accuracy: float
    predicted: tuple[int, ...]
    class_rows: tuple[int, ...]
    non_finite: tuple[int, ...]
    duplicates: tuple[float, ...]
    initial_loss: float | None
    training: Training | None


@dataclass(frozen=True)
class Provenance:
    """What the examined things are called."""

    model: str
    dataset: str
    split: str
    loss: str


def gather(
    model: Model,
    split: Split,
    names: Provenance,
    initial: Model | None = None,
    training: Training | None = None,
    *,
    workers: int = 1,
) -> Evidence:
    """Probe a network on all rows of a split, and put together what that shows.

    Args:
        model: with its network as it is now.
        split: what to examine it on.
        names: for the report.
        initial: the model as it was before training, if known.
        training: how it was trained, if known.
        workers: processes that share the rows.
    """
    network = model.network
    seen = probe(model, split, workers)
    start = None if initial is None else forward_pass(initial, split, workers)
    ratios = training.history[-1].update_ratio if training and training.history else None
    confusion = seen.outputs.confusion
    return Evidence(
        model=names.model,
        dataset=names.dataset,
        split=names.split,
        rows=seen.rows,
        classes=len(model.classes),
        loss=names.loss,
        output=model.loss.output,
        loss_value=float(seen.outputs.loss) / seen.rows,
        input_mean=seen.inputs.mean,
        input_size=seen.inputs.root_mean_square,
        normalization=model.normalization.method,
        gradients=gradient_flow(network, seen, ratios or None),
        units=unit_states(network, seen, start.active if start else None),
        outputs=seen.outputs.outputs(model.classes),
        accuracy=seen.outputs.accuracy,
        predicted=tuple(confusion.sum(axis=0).tolist()),
        class_rows=tuple(confusion.sum(axis=1).tolist()),
        non_finite=_non_finite(network),
        duplicates=tuple(_duplicates(network)),
        initial_loss=start.loss if start else None,
        training=training,
    )


def _non_finite(network: MLP) -> tuple[int, ...]:
    return tuple(
        number
        for number, layer in enumerate(network.layers, 1)
        if not (np.isfinite(layer.weights).all() and np.isfinite(layer.biases).all())
    )


def _duplicates(network: MLP) -> list[float]:
    shares = []
    for layer in network.layers:
        rows = np.hstack([layer.weights, layer.biases[:, np.newaxis]])
        _, counts = np.unique(rows, axis=0, return_counts=True)
        shares.append(float(counts[counts > 1].sum() / len(rows)))
    return shares
