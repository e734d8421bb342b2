"""Temperature scaling: one number that makes the probabilities of a trained network calibrated.

The logits are divided by the temperature that minimises the negative log likelihood of rows on
which the network was not trained (Guo et al., On Calibration of Modern Neural Networks, ICML 2017,
section 4.2). No prediction changes, because the order of the logits stays the same.
"""

import numpy as np

from actcli.datasets.batches import Split
from actcli.diagnostics.outputs import Outputs, OutputSums
from actcli.errors import UsageError
from actcli.model import Model


def calibrated(model: Model, split: Split) -> Model:
    """Return a model with the temperature that calibrates it on the rows of a split.

    The temperature is part of the weights and biases of the last layer. The model stays as it is
    if its best temperature is not between 1/16 and 16: every row may be predicted right, or nothing
    may have been learnt.

    Args:
        model: the model.
        split: rows on which it was not trained, at least one.

    Raises:
        UsageError: the split has no rows, or the outputs are not probabilities.
    """
    if not len(split):
        raise UsageError("a temperature needs rows on which the model was not trained")
    outputs = measure_outputs(model, split)
    if outputs is None:
        raise UsageError(
            f"the output activation {model.loss.output} does not give probabilities",
            "Allowed: softmax or sigmoid",
        )
    temperature = outputs.temperature
    return model if temperature is None else model.with_temperature(temperature)


def measure_outputs(model: Model, split: Split) -> Outputs | None:
    """Return confidence and calibration on a split; None for outputs that are not probabilities."""
    sums = OutputSums(model.loss, len(model.classes))
    for batch in model.forward_batches(split):
        sums.add(batch.trace.logits, np.zeros(len(batch.labels)), batch.labels)
    return sums.outputs(model.classes)
