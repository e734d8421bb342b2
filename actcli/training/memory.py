"""How much memory a training takes, from its configuration alone.

It is counted in numbers of four bytes, as they are allocated where the names here say. What is
there at the same time is added up; of what comes and goes, the most counts. Python, NumPy and the
images are left out: beside a network that is too large they are little.
"""

import itertools

from actcli.config.resolved import ResolvedConfig
from actcli.machine import require_memory
from actcli.model import EVALUATION_ROWS, make_loss
from actcli.nn.optimizers import OPTIMIZERS

NUMBER = 4  # bytes of a float32


def check_memory(config: ResolvedConfig, inputs: int, classes: int, rows: int) -> None:
    """Refuse a network that this machine cannot train, before any of it is allocated.

    Args:
        config: of the run.
        inputs: pixels of an image.
        classes: of the data set.
        rows: that are trained on.

    Raises:
        ActcliError: it needs more memory than there is; the message has both.
    """
    require_memory(training_memory(config, inputs, classes, rows), "this network")


def training_memory(config: ResolvedConfig, inputs: int, classes: int, rows: int) -> int:
    """Bytes that a training takes at its peak; the arguments are those of `check_memory`."""
    hidden = config.model.hidden
    scores = make_loss(config).units(classes)
    sizes = (inputs, *hidden, scores)
    parameters = sum((fan_in + 1) * units for fan_in, units in itertools.pairwise(sizes))
    slots = len(OPTIMIZERS[config.optimizer.name].slots) + 1
    lasting = parameters * (2 + slots)  # the network, what Run keeps of it, Optimizer.start
    batch = min(config.training.batch_size, rows)
    steps = 2 * parameters + sizes[0] * sizes[1]  # Step, and the room of Lit
    steps += _buffers(sizes, batch, config.model.dropout > 0)  # Batches
    held_out = config.data.validation
    judged = rows if held_out is None else held_out
    largest = max(fan_in * units for fan_in, units in itertools.pairwise(sizes))
    between = max(
        _buffers(sizes, min(EVALUATION_ROWS, judged)),  # score
        # The probe's gradient and its mean, and the weights of a layer, all in float64. Its batch,
        # one of a hundred rows, is gone by then.
        4 * parameters + 2 * largest,
    )
    afterwards = _buffers(sizes, min(EVALUATION_ROWS, rows))
    return NUMBER * (lasting + max(steps + between, afterwards))


def _buffers(sizes: tuple[int, ...], rows: int, dropout: bool = False) -> int:
    """Of a batch: its inputs (Batches), its targets (Targets), and what a Trace has of each layer.

    Pass.make: z, y, δ and work, and with dropout what is sent on and its mask.
    """
    inputs, *hidden, scores = sizes
    layers = (6 if dropout else 4) * sum(hidden) + 4 * scores
    return rows * (inputs + scores + layers)
