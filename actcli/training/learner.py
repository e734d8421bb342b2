"""A learner: a model and all that changes while it learns."""

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.dataset import Dataset
from actcli.model import Model, seed_streams
from actcli.nn.losses import Loss
from actcli.nn.network import MLP, Dropout
from actcli.training.build import make_optimizer
from actcli.training.memory import check_memory


class Learner:
    """A model, its optimizer and its random generators.

    Three streams of random numbers, for the initial parameters, the order of the rows and dropout,
    come from the one seed, so that changing one choice leaves the others alone.

    Args:
        config: of the run.
        dataset: the one that the configuration names.

    Raises:
        ActcliError: the network does not fit into the memory.
    """

    def __init__(self, config: ResolvedConfig, dataset: Dataset) -> None:
        check_memory(config, dataset.inputs, len(dataset.classes), len(dataset.train))
        _, shuffling, dropping = seed_streams(config.training.seed)
        self.shuffling = np.random.default_rng(shuffling)
        self.config = config
        self.dataset = dataset
        self.optimizer = make_optimizer(config)
        self.model = Model.create(config, dataset)
        self.state = self.optimizer.start(self.network.parameters)
        rate = config.model.dropout
        self.dropout = Dropout(rate, np.random.default_rng(dropping)) if rate else None

    @property
    def network(self) -> MLP:
        """The network that learns."""
        return self.model.network

    @property
    def loss(self) -> Loss:
        """The loss with its link."""
        return self.model.loss

    def initial_model(self) -> Model:
        """Return the model as it was before the first step, drawn anew."""
        return Model.create(self.config, self.dataset)
