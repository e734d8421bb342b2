"""A learner: a model with its optimizer and its random generators."""

import numpy as np

from actcli.config.resolved import ResolvedConfig
from actcli.datasets.dataset import Dataset
from actcli.model import Model, seed_streams
from actcli.nn.losses import Loss
from actcli.nn.network import MLP, Dropout
from actcli.training.automatic import complete
from actcli.training.build import make_optimizer
from actcli.training.memory import check_memory


class Learner:
    """A model, its optimizer and its random generators.

    The seed gives three independent streams of random numbers: for the initial parameters, the
    order of the rows, and dropout. Using one of them does not change the numbers of the others.

    Args:
        config: the configuration of the run.
        dataset: the data set to train on.

    Raises:
        ActcliError: the network does not fit into the memory.
    """

    def __init__(self, config: ResolvedConfig, dataset: Dataset) -> None:
        config = complete(config, dataset)
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
        """Return a new model with the same initial parameters that this one started with."""
        return Model.create(self.config, self.dataset)
