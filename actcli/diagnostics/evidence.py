"""Evidence: all numbers behind a verdict, for one model on one split.

For weights of unknown origin, the training and the initial loss are None, and the rules that need
them stay silent.
"""

from dataclasses import dataclass

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.batches import Split
from actcli.diagnostics.columns import ColumnStatistics, column_statistics
from actcli.diagnostics.gradients import LayerGradient, gradient_flow
from actcli.diagnostics.histograms import LayerEdges, LayerHistograms
from actcli.diagnostics.nonlinearity import NonlinearGain, is_linear, nonlinear_gain
from actcli.diagnostics.outputs import Outputs
from actcli.diagnostics.probe import ROWS, forward_pass, probe
from actcli.diagnostics.reference import Reference, measure_reference
from actcli.diagnostics.sums import Activity, Counts
from actcli.diagnostics.unit_activity import LayerActivity, unit_activity
from actcli.diagnostics.units import LayerUnits, unit_states
from actcli.diagnostics.weight_scale import MIN_WEIGHTS, untouched_scale, weight_scales
from actcli.model import Model
from actcli.nn.network import MLP
from actcli.nn.optimizers import OPTIMIZERS
from actcli.training.events import EpochDone


@dataclass(frozen=True)
class Training:
    """How a network was trained.

    Args:
        optimizer: the optimizer's name.
        learning_rate: the peak learning rate of the schedule.
        usual_learning_rate: the optimizer's default learning rate.
        momentum: the optimizer's momentum.
        batch_size: number of rows of a mini-batch.
        epochs: the number of epochs in the configuration.
        init: the initializer of the weights.
        history: the epochs that were trained.
        kept_epoch: the epoch whose network is examined.
        diverged: whether the loss stopped being finite.
        init_scale: the factor of the initial weights.
        dropout: the dropout probability of the hidden units.
        label_smoothing: the share of the target that is spread over all classes.
        weight_decay: the weight decay.
        clip_norm: the largest norm of a gradient; 0: no clipping.
        schedule: the name of the learning-rate schedule.
        validation_rows: number of validation rows; 0 if unknown.
        class_weight: the name of the class weights.
        calibrate: whether the logits were scaled on the validation rows after the training.
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
    init_scale: float = 1.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    schedule: str = "one-cycle"
    validation_rows: int = 0
    class_weight: str = "none"
    calibrate: bool = False

    @classmethod
    def of(
        cls,
        config: ResolvedConfig,
        history: tuple[EpochDone, ...] = (),
        kept_epoch: int = 0,
        diverged: bool = False,
    ) -> "Training":
        """Return the training that a configuration describes.

        Args:
            config: the configuration.
            history: the epochs trained so far.
            kept_epoch: the epoch whose network is examined.
            diverged: whether the loss stopped being finite.
        """
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
            init_scale=config.model.init_scale,
            dropout=config.model.dropout,
            label_smoothing=config.loss.label_smoothing,
            weight_decay=optimizer.weight_decay,
            clip_norm=optimizer.clip_norm,
            schedule=optimizer.schedule,
            validation_rows=config.data.validation or 0,
            class_weight=config.loss.class_weight,
            calibrate=config.training.calibrate,
        )


@dataclass(frozen=True)
class Evidence:
    """The measurements of a model on a split.

    Args:
        model: name of the model.
        dataset: name of the data set.
        split: name of the split.
        rows: N, number of examined rows.
        classes: K, number of classes.
        loss: name of the loss.
        output: name of the output activation.
        loss_value: mean training loss over the rows, label smoothing and class weights included.
        input_mean: mean of the normalized inputs.
        input_size: root mean square of the normalized inputs.
        normalization: name of the input normalization.
        gradients: gradient flow through each layer, the output layer last.
        units: states of the units of each hidden layer.
        outputs: confidence and calibration; None for an identity output.
        accuracy: share of the rows whose predicted class is right.
        predicted: for each class, the number of rows for which it is predicted.
        class_rows: for each class, the number of its rows.
        non_finite: layers, from 1, with a parameter that is infinite or NaN.
        duplicates: for each layer, the share of units with the incoming weights and bias of another
            unit of the layer.
        initial_loss: mean loss of the initial network over the rows; None if unknown.
        training: how the model was trained; None if unknown.
        nonlinear_gain: what a non-linearity brings on the rows; None unless all hidden layers are
            linear.
        initial_scales: for each layer, the scale of its initial weights, see `weight_scale`; None
            where it is unknown.
        weight_scales: for each layer, the scale of its weights.
        inputs: D, the number of inputs.
        column_ratio: the largest deviation of an input over the median one.
        column_offset: the root mean square of the inputs' means over that of their deviations.
        reference: what simple classifiers reach on the split; None if it has too few rows.
        confusion: for each class, how many of its rows are predicted as each class.
        class_names: the names of the classes.
        activity: of each single unit of each hidden layer.
        histograms: of the pre-activations and activations of each layer; empty if their edges were
            not given.
        class_weights: the factor of a row's loss, for each class; empty if all rows count alike.
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
    nonlinear_gain: NonlinearGain | None = None
    initial_scales: tuple[float | None, ...] = ()
    weight_scales: tuple[float, ...] = ()
    inputs: int = 0
    column_ratio: float = 1.0
    column_offset: float = 0.0
    reference: Reference | None = None
    confusion: tuple[tuple[int, ...], ...] = ()
    class_names: tuple[str, ...] = ()
    activity: tuple[LayerActivity, ...] = ()
    histograms: tuple[LayerHistograms, ...] = ()
    class_weights: tuple[float, ...] = ()

    @property
    def reference_accuracy(self) -> float | None:
        """The accuracy of simple classifiers that the network can be expected to reach.

        A network without a hidden layer is linear, and is compared with a linear classifier only.
        """
        if self.reference is None:
            return None
        return self.reference.accuracy if self.units else self.reference.linear


@dataclass(frozen=True)
class Provenance:
    """The names of model, data set, split and loss."""

    model: str
    dataset: str
    split: str
    loss: str


def gather(  # noqa: PLR0913 - the optional ones are keywords with defaults
    model: Model,
    split: Split,
    names: Provenance,
    initial: Model | None = None,
    training: Training | None = None,
    *,
    train: Split | None = None,
    active: tuple[Counts, ...] | None = None,
    workers: int = 1,
    edges: tuple[LayerEdges, ...] | None = None,
) -> Evidence:
    """Return the evidence of a model on all rows of a split.

    Args:
        model: the model to examine; no parameter changes.
        split: the rows to examine it on.
        names: the names for the report.
        initial: the model before its training, if known.
        training: how the model was trained, if known.
        train: the training rows, on which a dead unit is active nowhere; None if the examined rows
            are all of them, or if the training rows are unknown.
        active: for each hidden layer, the number of training rows on which each unit is active, 0
            only for dead units; None to count them on `train`.
        workers: largest number of processes that share the rows.
        edges: of the histograms of each layer; None for no histograms.
    """
    network = model.network
    sums = probe(model, split, workers, edges)
    initial_sums = None if initial is None else forward_pass(initial, split, workers)
    ratios = training.history[-1].update_ratio if training and training.history else None
    confusion = sums.outputs.confusion
    initial_active = initial_sums.active if initial_sums else None
    if train is not None:
        active = _active_rows(model, train) if active is None else active
        initial_active = None if initial is None else _active_rows(initial, train)
    units = unit_states(network, sums, initial_active, active)
    columns = column_statistics(split, model.normalization)
    linear = bool(units) and all(map(is_linear, units))
    return Evidence(
        model=names.model,
        dataset=names.dataset,
        split=names.split,
        rows=sums.rows,
        classes=len(model.classes),
        loss=names.loss,
        output=model.loss.output,
        loss_value=float(sums.outputs.loss) / sums.rows,
        input_mean=sums.inputs.mean,
        input_size=sums.inputs.root_mean_square,
        normalization=model.normalization.method,
        gradients=gradient_flow(network, sums, ratios or None),
        units=units,
        outputs=sums.outputs.outputs(model.classes),
        accuracy=sums.outputs.accuracy,
        predicted=tuple(confusion.sum(axis=0).tolist()),
        class_rows=tuple(confusion.sum(axis=1).tolist()),
        non_finite=_non_finite(network),
        duplicates=tuple(_duplicates(network)),
        initial_loss=initial_sums.loss if initial_sums else None,
        training=training,
        nonlinear_gain=(
            nonlinear_gain(split, model.normalization, len(model.classes)) if linear else None
        ),
        initial_scales=_initial_scales(model, columns, initial),
        weight_scales=weight_scales(network),
        inputs=network.sizes[0],
        column_ratio=columns.ratio,
        column_offset=columns.offset,
        reference=measure_reference(split, len(model.classes)),
        confusion=tuple(tuple(counts) for counts in confusion.tolist()),
        class_names=model.classes,
        activity=unit_activity(network, sums, initial_active, active),
        histograms=sums.histograms.histograms() if sums.histograms else (),
        class_weights=model.class_weights,
    )


def _active_rows(model: Model, train: Split) -> tuple[Counts, ...]:
    """Return for each hidden layer how many rows activate each unit; 0 only for dead units."""
    activity = Activity(model.network)
    activity.add_until_complete(model, train, ROWS)
    return activity.active


def _initial_scales(
    model: Model, columns: ColumnStatistics, initial: Model | None
) -> tuple[float | None, ...]:
    """Return the scales of the initial weights; without the initial network, what is left of it."""
    if initial is not None:
        pairs = zip(weight_scales(initial.network), initial.network.layers, strict=True)
        return tuple(scale if w.weights.size >= MIN_WEIGHTS else None for scale, w in pairs)
    first = untouched_scale(model.network, columns.unused)
    return (first, *(None for _ in model.network.layers[1:]))


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
