"""What learns: a network, its loss, its optimizer, its random numbers; and how well it does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from actcli.config.schema import Config
from actcli.datasets.batches import Batches, Split
from actcli.datasets.dataset import Dataset
from actcli.nn.arrays import Array, Labels, ignore_overflow
from actcli.nn.links import classify
from actcli.nn.network import MLP, Dropout, Trace
from actcli.training.build import make_loss, make_network, make_optimizer
from actcli.training.memory import EVALUATION_ROWS, check_memory

BatchHook = Callable[[Trace], None]  # looks at a batch after its forward pass


@dataclass(frozen=True)
class Score:
    """How well a network does on a split: mean loss per example, share of them classified right."""

    loss: float
    accuracy: float


class Learner:
    """A network and all that changes while it learns.

    Three streams of random numbers, for the initial parameters, the order of the rows and the
    dropout, are drawn from the one seed, so that changing one choice leaves the others alone.

    Args:
        config: resolved.
        dataset: the one that the configuration names.

    Raises:
        ActcliError: the network does not fit into the memory.
    """

    def __init__(self, config: Config, dataset: Dataset) -> None:
        check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
        _, shuffling, dropping = self._seeds(config)
        self.shuffling = np.random.default_rng(shuffling)
        self.config = config
        self.dataset = dataset
        self.loss = make_loss(config)
        self.optimizer = make_optimizer(config)
        self.network = self.initial_network()
        self.state = self.optimizer.start(self.network.parameters)
        rate = config.model.dropout
        self.dropout = Dropout(rate, np.random.default_rng(dropping)) if rate else None

    def initial_network(self) -> MLP:
        """The network as it is before the first step, drawn anew."""
        rng = np.random.default_rng(self._seeds(self.config)[0])
        return make_network(self.config, self.dataset.inputs, len(self.dataset.classes), rng)

    @staticmethod
    def _seeds(config: Config) -> list[np.random.SeedSequence]:
        return np.random.SeedSequence(config.training.seed).spawn(3)


class Targets:
    """The target rows of a batch, gathered from those of the classes into one buffer."""

    def __init__(self, learner: Learner, rows: int) -> None:
        dtype = learner.network.parameters.dtype
        self.of_class = learner.loss.targets(len(learner.dataset.classes)).astype(dtype)
        self.buffer = np.empty((rows, self.of_class.shape[1]), dtype)

    def __call__(self, labels: Labels) -> Array:
        """Of shape (N, units), good until the next call."""
        out = self.buffer[: len(labels)]
        np.take(self.of_class, labels, axis=0, out=out, mode="clip")
        return out


def forward(learner: Learner, split: Split) -> Iterator[tuple[Trace, Labels]]:
    """What forward passes over a split leave, without dropout, and the labels of its rows.

    Some rows at a time, in buffers that are good until the next ones.
    """
    rows = min(EVALUATION_ROWS, len(split))
    trace = learner.network.trace(rows)
    for inputs, labels in Batches(split, learner.dataset.normalization, rows)():
        part = trace.first(len(labels))
        with ignore_overflow():
            learner.network.forward(inputs, part)
        yield part, labels


def evaluate(learner: Learner, split: Split, see: BatchHook | None = None) -> Score:
    """How well the network does on all rows of a split.

    Args:
        learner: what has learnt.
        split: not empty.
        see: what else looks at each batch, whose buffers it may use.

    Returns:
        Its loss is infinite or NaN if a parameter is.
    """
    targets = Targets(learner, min(EVALUATION_ROWS, len(split)))
    loss, right = 0.0, 0
    for trace, labels in forward(learner, split):
        last = trace.passes[-1]
        right += int(np.count_nonzero(classify(last.z) == labels))
        with ignore_overflow():
            losses = learner.loss(last.z, targets(labels), last.delta, last.work)
            loss += float(losses.sum(dtype=np.float64))
        if see:
            see(trace)
    return Score(loss / len(split), right / len(split))
