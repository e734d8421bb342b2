"""One library that trains one workload, an epoch for each line that it reads: see `speed.py`.

    python benchmarks/peers.py train actcli M 2

It answers with a line of JSON: the seconds of the epoch. At the end of its input it tells the
accuracy on the test images. Everyone has the 60,000 training images in memory as it likes them,
shuffles them anew for each epoch, and takes the same steps: plain softmax cross-entropy, a constant
learning rate, no decay, no validation.
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
    """A network, and how it learns."""

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
    """Pixels (N, 784) as bytes, and labels (N,)."""
    folder = files.packaged_folder("data") / "mnist"
    images, labels = (
        np.frombuffer(gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()), np.uint8)
        for kind in ("images-idx3", "labels-idx1")
    )
    return images[16:].reshape(-1, 784), labels[8:].astype(np.int64)


def scaled(part):
    """Pixels (N, 784) from 0 to 1 in float32, and labels (N,)."""
    pixels, labels = mnist(part)
    return (pixels / np.float32(255)).astype(np.float32), labels


def assignments(work):
    """The configuration of a workload, as `--set` takes it."""
    return [
        f"model.hidden={','.join(map(str, work.hidden))}",
        f"training.batch_size={work.batch}",
        f"optimizer.name={work.optimizer}",
        f"optimizer.learning_rate={work.rate}",
        f"optimizer.momentum={work.momentum}",
        "optimizer.schedule=constant",
        "data.validation=0",
    ]


def learner(work, threads):
    """What `actcli train` trains."""
    from actcli.config.sources import assemble, parse_assignment
    from actcli.training.build import prepare_dataset
    from actcli.training.learner import Learner

    settings = map(
        parse_assignment,
        [*assignments(work), "training.epochs=1000000", f"training.workers={threads}"],
    )
    config = assemble(list(settings)).resolve()
    return Learner(*prepare_dataset(config, lambda *_: None))


class Actcli:
    """The loop of `actcli train`, without its files."""

    def __init__(self, work, threads):
        from actcli.machine import pin_blas

        pin_blas()
        from actcli.training.loop import fit

        self.learner = learner(work, threads)
        self.events = fit(self.learner)

    def epoch(self):
        """Until the event that tells its end."""
        while not hasattr(next(self.events), "train"):
            pass

    def accuracy(self):
        """On the test images."""
        from actcli.training.evaluation import evaluate

        return evaluate(self.learner.model, self.learner.dataset.test).accuracy


class Torch:
    """PyTorch, with its data in memory and its fused optimizers; `torch.compile` if asked for."""

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
            chosen = {"lr": work.rate, "momentum": work.momentum, "fused": True}
            self.optimizer = torch.optim.SGD(self.model.parameters(), **chosen)
        else:
            self.optimizer = torch.optim.Adam(self.model.parameters(), lr=work.rate, fused=True)
        pixels, labels = scaled("train")
        self.x, self.y, self.batch = torch.from_numpy(pixels), torch.from_numpy(labels), work.batch
        self.scores = torch.compile(self.model) if compiled else self.model
        if compiled:  # outside of what is timed; a second size would compile anew
            self.loss(self.scores(self.x[: self.batch]), self.y[: self.batch]).backward()

    def epoch(self):
        """Full batches and the rest."""
        order = self.torch.randperm(len(self.x))
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            self.optimizer.zero_grad()
            self.loss(self.scores(self.x[rows]), self.y[rows]).backward()
            self.optimizer.step()

    def accuracy(self):
        """On the test images."""
        pixels, labels = scaled("t10k")
        with self.torch.no_grad():
            return float(
                (self.model(self.torch.from_numpy(pixels)).argmax(1).numpy() == labels).mean()
            )


class ScikitLearn:
    """scikit-learn's `MLPClassifier`, an epoch at a time."""

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
        """`partial_fit` goes over all rows once."""
        self.model.partial_fit(self.x, self.y, classes=np.arange(CLASSES))

    def accuracy(self):
        """On the test images."""
        return self.model.score(*scaled("t10k"))


class Roofline:
    """Only the matrix products of the steps, in the fastest order of operands that was found."""

    def __init__(self, work, _threads):
        sizes, rng = (784, *work.hidden, CLASSES), np.random.default_rng(0)

        def some(*shape):
            return rng.standard_normal(shape, np.float32)

        self.products = []
        for index, (inputs, units) in enumerate(itertools.pairwise(sizes)):
            x, w, delta = some(work.batch, inputs), some(inputs, units), some(work.batch, units)
            products = [(x, w), (x.T, delta)] + ([(delta, w.T)] if index else [])
            self.products += [
                (a, b, np.empty((len(a), b.shape[1]), np.float32)) for a, b in products
            ]
        self.steps = -(-60_000 // work.batch)

    def epoch(self):
        """As many steps as an epoch has."""
        for _ in range(self.steps):
            for a, b, out in self.products:
                np.matmul(a, b, out=out)

    def accuracy(self):
        """It learns nothing."""
        return


class Diagnosis:
    """The numbers of `actcli diagnose --split train`, without its tables and rules.

    A round is one diagnosis of the initial network over the 60,000 training rows.
    """

    def __init__(self, work, threads):
        from actcli.machine import pin_blas

        pin_blas()
        from actcli.diagnostics.evidence import Provenance

        self.learner = learner(work, threads)
        self.workers = threads
        self.names = Provenance("", "mnist", "train", "cross-entropy")

    def epoch(self):
        """All of it."""
        from actcli.diagnostics.evidence import gather

        model, rows = self.learner.model, self.learner.dataset.train
        self.found = gather(model, rows, self.names, workers=self.workers)

    def accuracy(self):
        """On the training rows, and so for both the same."""
        return self.found.accuracy


class TorchDiagnosis:
    """The same numbers of the same network with PyTorch: z from hooks, δ as its gradient.

    Of each layer the lengths of δ and of the gradients, mean slope, saturated pairs, rows on which
    a unit is active; of the outputs confusion, likelihood, confidence and entropy of the classes,
    calibration, and the best temperature.
    """

    BATCH, BINS = 1000, 15

    def __init__(self, work, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, source = torch, learner(work, 1)
        layers = []
        for layer in source.network.layers:
            units, inputs = layer.weights.shape
            linear = torch.nn.Linear(inputs, units)
            linear.weight.data.copy_(torch.from_numpy(layer.weights))
            linear.bias.data.copy_(torch.from_numpy(layer.biases))
            layers += [linear, torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*layers[:-1])
        self.linear, self.z = layers[::2], {}
        for each in self.linear:
            each.register_forward_hook(self.keep)
        pixels, labels = scaled("train")
        self.x, self.y = torch.from_numpy(pixels), torch.from_numpy(labels)

    def keep(self, linear, _, z):
        """The hook."""
        z.retain_grad()
        self.z[linear] = z

    def epoch(self):
        """Batch after batch, and then what needs all of them."""
        torch = self.torch
        self.model.zero_grad()
        lengths, slopes, saturated = ([0.0] * len(self.linear) for _ in range(3))
        active = [torch.zeros(each.out_features, dtype=torch.int64) for each in self.linear]
        kept, seen = [], [0.0, 0.0]
        for x, y in zip(self.x.split(self.BATCH), self.y.split(self.BATCH), strict=True):
            scores = self.model(x)
            torch.nn.functional.cross_entropy(scores, y, reduction="sum").backward()
            with torch.no_grad():
                seen[0] += float(x.sum())
                seen[1] += float(x.square().sum())
                for index, each in enumerate(self.linear):
                    z = self.z[each]
                    lengths[index] += float(z.grad.norm(dim=1).sum(dtype=torch.float64))
                    if index < len(self.linear) - 1:
                        slope = (z > 0).float()
                        slopes[index] += float(slope.abs().sum())
                        saturated[index] += int((slope < 0.05).sum())
                        active[index] += (slope != 0).sum(dim=0)
                kept.append(scores.detach())
        gradients = [float(each.norm()) / len(self.y) for each in self.gradients()]
        self.found = lengths, slopes, saturated, active, gradients, self.outputs(torch.cat(kept))

    def gradients(self):
        """Of weights and biases, layer by layer."""
        return [part.grad for each in self.linear for part in (each.weight, each.bias)]

    def outputs(self, scores):
        """What the predictions come to."""
        from check_diagnosis_against_torch import best_temperature, calibration

        torch, y = self.torch, self.y
        p = scores.softmax(dim=1)
        confidence, answers = p.max(dim=1)
        confusion = torch.bincount(y * CLASSES + answers, minlength=CLASSES**2)
        entropy = torch.special.entr(p).sum(dim=1)
        counts = torch.bincount(answers, minlength=CLASSES)
        by_class = [
            torch.bincount(answers, weights=each.double(), minlength=CLASSES) / counts
            for each in (confidence, entropy)
        ]
        loss = float(torch.nn.functional.cross_entropy(scores, y))
        right = answers == y
        self.right = float(right.double().mean())
        errors = calibration(confidence.double(), right)
        return confusion, by_class, loss, errors, best_temperature(scores.double(), y)

    def accuracy(self):
        """On the training rows."""
        return self.right


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
