"""Train one workload with one library, one epoch for each line on standard input (see `speed.py`).

    python benchmarks/peers.py train actcli M 2

After each epoch it prints a line of JSON with the seconds. At the end of its input it prints the
accuracy on the test images. Each library holds the 60,000 training images in memory in the layout
that suits it, shuffles them for each epoch, and takes the same steps: softmax cross-entropy, a
constant learning rate, no weight decay, no validation.
"""

import gzip
import itertools
import json
import sys
import time
import warnings
from dataclasses import dataclass

import numpy as np

from actcli import files


@dataclass(frozen=True)
class Workload:
    """The sizes of a network and the settings of its training."""

    hidden: tuple[int, ...]
    batch: int
    optimizer: str
    rate: float
    momentum: float


WORKLOADS = {
    "S": Workload((30,), 10, "sgd", 0.1, 0.0),
    "M": Workload((256, 128), 128, "sgd", 0.05, 0.9),
    "MA": Workload((256, 128), 128, "adam", 0.001, 0.0),
    "L": Workload((800, 800), 128, "sgd", 0.1, 0.0),
    "LA": Workload((800, 800), 128, "adam", 0.001, 0.0),
}
CLASSES = 10


def mnist(part):
    """Return the pixels (N, 784) as bytes and the labels (N,)."""
    folder = files.packaged_folder("data") / "mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()), np.uint8)
        for kind in ("images-idx3", "labels-idx1")
    )
    return images[16:].reshape(-1, 784), labels[8:].astype(np.int64)


def scaled(part):
    """Return the pixels (N, 784) from 0 to 1 in float32 and the labels (N,)."""
    pixels, labels = mnist(part)
    return (pixels / np.float32(255)).astype(np.float32), labels


def assignments(work):
    """Return the configuration of a workload as arguments of `--set`."""
    return [
        f"model.hidden={','.join(map(str, work.hidden))}",
        f"training.batch_size={work.batch}",
        f"optimizer.name={work.optimizer}",
        f"optimizer.learning_rate={work.rate}",
        f"optimizer.momentum={work.momentum}",
        "optimizer.schedule=constant",
        "data.validation=0",
    ]


def make_learner(work, workers):
    """Return the learner that `actcli train` would make for a workload."""
    from actcli.config.sources import assemble, parse_assignment
    from actcli.training.build import prepare_dataset
    from actcli.training.learner import Learner

    settings = map(
        parse_assignment,
        [*assignments(work), "training.epochs=1000000", f"training.workers={workers}"],
    )
    config = assemble(list(settings)).resolve()
    return Learner(*prepare_dataset(config, lambda *_: None))


class Actcli:
    """The training loop of `actcli train`, without a run folder."""

    def __init__(self, work, workers):
        from actcli.machine import pin_blas

        pin_blas()
        from actcli.training.loop import fit

        self.learner = make_learner(work, workers)
        self.events = fit(self.learner)

    def epoch(self):
        """Train until the event of the end of an epoch."""
        while not hasattr(next(self.events), "train"):
            pass

    def accuracy(self):
        """Return the accuracy on the test images."""
        from actcli.training.evaluation import evaluate

        return evaluate(self.learner.model, self.learner.dataset.test).accuracy


class Torch:
    """PyTorch with the data in memory and fused optimizers; with `torch.compile` if `compiled`."""

    def __init__(self, work, threads, compiled=False):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        sizes = (784, *work.hidden, CLASSES)
        layers = []
        for inputs, units in itertools.pairwise(sizes):
            layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.loss = torch.nn.CrossEntropyLoss()
        if work.optimizer == "sgd":
            options = {"lr": work.rate, "momentum": work.momentum, "fused": True}
            self.optimizer = torch.optim.SGD(self.model.parameters(), **options)
        else:
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=work.rate, fused=True)
        pixels, labels = scaled("train")
        self.x, self.y, self.batch = torch.from_numpy(pixels), torch.from_numpy(labels), work.batch
        self.logits = torch.compile(self.model) if compiled else self.model
        if compiled:  # before the timing; a second batch size compiles again
            self.loss(self.logits(self.x[: self.batch]), self.y[: self.batch]).backward()

    def epoch(self):
        """Train on all rows in random order; the last mini-batch is smaller."""
        order = self.torch.randperm(len(self.x))
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            self.optimizer.zero_grad()
            self.loss(self.logits(self.x[rows]), self.y[rows]).backward()
            self.optimizer.step()

    def accuracy(self):
        """Return the accuracy on the test images."""
        pixels, labels = scaled("t10k")
        with self.torch.no_grad():
            return float(
                (self.model(self.torch.from_numpy(pixels)).argmax(1).numpy() == labels).mean()
            )


class ScikitLearn:
    """scikit-learn's `MLPClassifier`, one epoch at a time."""

    def __init__(self, work, _threads):
        from sklearn.neural_network import MLPClassifier

        self.x, self.y = scaled("train")
        self.model = MLPClassifier(
            work.hidden,
            solver=work.optimizer,
            alpha=0,
            batch_size=work.batch,
            learning_rate_init=work.rate,
            momentum=work.momentum,
            nesterovs_momentum=False,
            random_state=0,
        )

    def epoch(self):
        """Train on all rows once, as `partial_fit` does."""
        self.model.partial_fit(self.x, self.y, classes=np.arange(CLASSES))

    def accuracy(self):
        """Return the accuracy on the test images."""
        return self.model.score(*scaled("t10k"))


class Roofline:
    """The matrix products of the steps and nothing else, in the fastest known operand order."""

    def __init__(self, work, _threads):
        sizes, rng = (784, *work.hidden, CLASSES), np.random.default_rng(0)

        def random_array(*shape):
            return rng.standard_normal(shape, np.float32)

        self.products = []
        for index, (inputs, units) in enumerate(itertools.pairwise(sizes)):
            x, w = random_array(work.batch, inputs), random_array(inputs, units)
            delta = random_array(work.batch, units)
            products = [(x, w), (x.T, delta)] + ([(delta, w.T)] if index else [])
            self.products += [
                (a, b, np.empty((len(a), b.shape[1]), np.float32)) for a, b in products
            ]
        self.steps = -(-60_000 // work.batch)

    def epoch(self):
        """Compute the products of all steps of an epoch."""
        for _ in range(self.steps):
            for a, b, out in self.products:
                np.matmul(a, b, out=out)

    def accuracy(self):
        """Return None: nothing is learnt."""
        return


class Diagnosis:
    """The measurements of `actcli diagnose --split train`, without tables and rules.

    One epoch stands for one diagnosis of the initial network on the 60,000 training rows.
    """

    def __init__(self, work, workers):
        from actcli.machine import pin_blas

        pin_blas()
        from actcli.diagnostics.evidence import Provenance

        self.learner = make_learner(work, workers)
        self.workers = workers
        self.provenance = Provenance("", "mnist", "train", "cross-entropy")

    def epoch(self):
        """Make one diagnosis."""
        from actcli.diagnostics.evidence import gather

        model, rows = self.learner.model, self.learner.dataset.train
        self.evidence = gather(model, rows, self.provenance, workers=self.workers)

    def accuracy(self):
        """Return the accuracy on the training rows, the same for both libraries."""
        return self.evidence.accuracy


class TorchDiagnosis:
    """The same measurements of the same network with PyTorch: z from hooks, δ as its gradient.

    For each layer: the norms of δ and of the gradients, the mean derivative, the saturated (row,
    unit) pairs, and the number of rows on which each unit is active. For the outputs: confusion
    matrix, likelihood, confidence and entropy per class, calibration, and the best temperature.
    """

    BATCH, BINS = 1000, 15

    def __init__(self, work, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, source = torch, make_learner(work, 1)
        layers = []
        for layer in source.network.layers:
            units, inputs = layer.weights.shape
            linear = torch.nn.Linear(inputs, units)
            linear.weight.data.copy_(torch.from_numpy(layer.weights))
            linear.bias.data.copy_(torch.from_numpy(layer.biases))
            layers += [linear, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.linear, self.z = layers[::2], {}
        for linear in self.linear:
            linear.register_forward_hook(self.keep_z)
        pixels, labels = scaled("train")
        self.x, self.y = torch.from_numpy(pixels), torch.from_numpy(labels)

    def keep_z(self, linear, _, z):
        """Keep the output z of a layer, and its gradient, as a forward hook."""
        z.retain_grad()
        self.z[linear] = z

    def epoch(self):
        """Measure mini-batch by mini-batch, then everything that needs all logits."""
        torch = self.torch
        self.model.zero_grad()
        norms, slopes, saturated = ([0.0] * len(self.linear) for _ in range(3))
        active = [torch.zeros(layer.out_features, dtype=torch.int64) for layer in self.linear]
        batches, input_sums = [], [0.0, 0.0]
        for x, y in zip(self.x.split(self.BATCH), self.y.split(self.BATCH), strict=True):
            logits = self.model(x)
            torch.nn.functional.cross_entropy(logits, y, reduction="sum").backward()
            with torch.no_grad():
                input_sums[0] += float(x.sum())
                input_sums[1] += float(x.square().sum())
                for index, layer in enumerate(self.linear):
                    z = self.z[layer]
                    norms[index] += float(z.grad.norm(dim=1).sum(dtype=torch.float64))
                    if index < len(self.linear) - 1:
                        slope = (z > 0).float()
                        slopes[index] += float(slope.abs().sum())
                        saturated[index] += int((slope < 0.05).sum())
                        active[index] += (slope != 0).sum(dim=0)
                batches.append(logits.detach())
        gradients = [float(gradient.norm()) / len(self.y) for gradient in self.gradients()]
        outputs = self.outputs(torch.cat(batches))
        self.results = norms, slopes, saturated, active, gradients, outputs

    def gradients(self):
        """Return the gradients of weights and biases, layer by layer."""
        return [tensor.grad for layer in self.linear for tensor in (layer.weight, layer.bias)]

    def outputs(self, logits):
        """Return confusion matrix, means per class, loss, calibration errors and temperature."""
        from check_diagnosis_against_torch import best_temperature, calibration

        torch, y = self.torch, self.y
        p = logits.softmax(dim=1)
        confidence, predictions = p.max(dim=1)
        confusion = torch.bincount(y * CLASSES + predictions, minlength=CLASSES**2)
        entropy = torch.special.entr(p).sum(dim=1)
        counts = torch.bincount(predictions, minlength=CLASSES)
        by_class = [
            torch.bincount(predictions, weights=values.double(), minlength=CLASSES) / counts
            for values in (confidence, entropy)
        ]
        loss = float(torch.nn.functional.cross_entropy(logits, y))
        correct = predictions == y
        self.correct = float(correct.double().mean())
        errors = calibration(confidence.double(), correct)
        return confusion, by_class, loss, errors, best_temperature(logits.double(), y)

    def accuracy(self):
        """Return the accuracy on the training rows."""
        return self.correct


PEERS = {
    "actcli": Actcli,
    "torch": Torch,
    "torch.compile": lambda work, threads: Torch(work, threads, compiled=True),
    "scikit-learn": ScikitLearn,
    "matmul": Roofline,
}
DIAGNOSES = {"actcli": Diagnosis, "torch": TorchDiagnosis}
KINDS = {"train": PEERS, "diagnose": DIAGNOSES}


def main(kind, peer, workload, threads):
    """Train an epoch, or make a diagnosis, for each line on standard input."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    trainer = KINDS[kind][peer](WORKLOADS[workload], int(threads))
    print("{}", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        trainer.epoch()
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
    print(json.dumps({"accuracy": trainer.accuracy()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
