"""An estimate of the peak memory of a training, before anything is allocated.

The estimate counts float32 numbers; the comments name the classes that allocate them. Buffers that
exist at the same time are added; of buffers that follow each other, the largest counts. Python,
NumPy and the images are left out: they are small compared with a network that does not fit.
"""

import itertools

from actcli.config.resolved import ResolvedConfig
from actcli.machine import require_memory
from actcli.model import EVALUATION_ROWS, make_loss
from actcli.nn.optimizers import OPTIMIZERS

FLOAT32_BYTES = 4


def check_memory(config: ResolvedConfig, inputs: int, classes: int, rows: int) -> None:
    """Raise if this machine has too little memory for a training, before any is allocated.

    Args:
        config: the configuration of the training.
        inputs: D, the number of features of a row.
        classes: K, the number of classes.
        rows: number of training rows.

    Raises:
        ActcliError: the training needs more memory than this machine has; the message has both
            amounts.
    """
    require_memory(training_memory(config, inputs, classes, rows), "this network")


def training_memory(config: ResolvedConfig, inputs: int, classes: int, rows: int) -> int:
    """Return the peak memory of a training in bytes; the arguments are those of `check_memory`."""
    hidden = config.model.hidden
    logits = make_loss(config).units(classes)
    sizes = (inputs, *hidden, logits)
    parameters = sum((fan_in + 1) * units for fan_in, units in itertools.pairwise(sizes))
    slots = len(OPTIMIZERS[config.optimizer.name].slots) + 1
    lasting = parameters * (2 + slots)  # MLP, the kept parameters of a Run, Optimizer.start
    batch = min(config.training.batch_size, rows)
    steps = 2 * parameters + sizes[0] * sizes[1]  # Step, and the scratch of ActiveColumns
    steps += _buffers(sizes, batch, config.model.dropout > 0)  # Batches
    held_out = config.data.validation
    evaluated = rows if held_out is None else held_out
    largest = max(fan_in * units for fan_in, units in itertools.pairwise(sizes))
    between = max(
        _buffers(sizes, min(EVALUATION_ROWS, evaluated)),  # evaluate
        # The probe's gradient and its mean, and the weights of a layer, all in float64. The probe's
        # mini-batch, one of a hundred rows, is freed by then.
        4 * parameters + 2 * largest,
    )
    last = min(EVALUATION_ROWS, rows)
    afterwards = _buffers(sizes, last) + 2 * last * max(hidden, default=0)  # evaluate, Activity
    return FLOAT32_BYTES * (lasting + max(steps + between, afterwards))


def _buffers(sizes: tuple[int, ...], rows: int, dropout: bool = False) -> int:
    """Return how many numbers Batches, RowLosses and Trace hold for a mini-batch.

    LayerTrace.allocate makes z, y, δ and f'(z), and with dropout also the output and its mask.
    """
    inputs, *hidden, logits = sizes
    layers = (6 if dropout else 4) * sum(hidden) + 4 * logits
    return rows * (inputs + logits + layers)
