"""Set-ups that others published, with the causes that their sources name.

Each configuration is the published one. Where a source leaves a key open, the value is usual for
its framework: batches of 32, plain SGD. Nielsen's quadratic cost has a factor 1/2 that `sse` lacks,
and his cross-entropy is a sum over the outputs where `binary-cross-entropy` is a mean; the learning
rates below are converted. `slow` set-ups take minutes, and run last.

Not configurable, and therefore left out: a sigmoid output with categorical cross-entropy (Stack
Overflow 55328966), and deformed images (schmidhuber-problems).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from generated_data import Arrays, Floats

HEALTHY = "healthy"


@dataclass(frozen=True)
class Published:
    """A published set-up.

    Args:
        number: its row in the collection; H1, H2, … for healthy ones.
        settings: `table.key=value`, separated by spaces.
        reported: what its author reported.
        accepted: the rules that name a cause that the source gives; "healthy" for a healthy one.
        source: where it was published.
        data: makes its data set; None for one of the catalogue.
        slow: whether it takes minutes.
    """

    number: str
    settings: str
    reported: str
    accepted: frozenset[str]
    source: str
    data: Callable[[], Arrays] | None = None
    slow: bool = False

    @property
    def is_healthy(self) -> bool:
        """Whether no fault was published."""
        return HEALTHY in self.accepted

    def write_data(self, folder: Path) -> str:
        """Write the data set that the set-up makes, and return the setting that names it."""
        if self.data is None:
            return ""
        path = folder / f"published-{self.number}.npz"
        self.data().save(str(path))
        return f" data.name={path}"


def _blobs() -> Arrays:
    """Return the rows of scikit-learn's `make_blobs(1000, centers=3, cluster_std=2) * 100`."""
    draw = np.random.RandomState(2)
    centres = draw.uniform(-10, 10, (3, 2))
    y = np.arange(2200) % 3
    return _hundredfold(centres[y] + draw.normal(0, 2, (2200, 2)), y)


def _circles() -> Arrays:
    """Return rows as those of `make_circles(1000, noise=.1) * 100`; the inner radius is 0.8."""
    draw = np.random.RandomState(1)
    y = np.arange(2200) % 2
    angle = draw.uniform(0, 2 * np.pi, len(y))
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(y, 0.8, 1)[:, np.newaxis]
    return _hundredfold(circle + draw.normal(0, 0.1, circle.shape), y)


def _hundredfold(x: Floats, y: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Arrays:
    return Arrays((100 * x).astype(np.float32), y)


PLAIN = "optimizer.momentum=0 optimizer.schedule=constant"
RATE = "optimizer.learning_rate"
RAW = "data.normalize=none"
NORMAL = "model.init=standard-normal model.bias_init=normal"
NIELSEN = f"{PLAIN} training.batch_size=10 data.validation=10000 model.activation=sigmoid"
QUADRATIC = f"{NIELSEN} {NORMAL} loss.name=sse model.output=sigmoid training.epochs=30"
ENTROPY = f"{NIELSEN} model.init=normal model.bias_init=normal loss.name=binary-cross-entropy"
TINY = "model.init=standard-normal model.init_scale=0.001 training.batch_size=32"
KERAS = (
    "model.hidden=512,512 model.dropout=0.2 optimizer.name=rmsprop optimizer.learning_rate=0.001 "
    "optimizer.schedule=constant"
)
SIGMOIDS = f"{RAW} {PLAIN} {RATE}=0.01 model.activation=sigmoid training.batch_size=32"
LOW, HIGH = "learning-rate-too-low", "learning-rate-too-high"
FEW, SCALE, LOSS = "underfitting-too-short", "unscaled-input", "loss-output-mismatch"


def _row(
    number: str, settings: str, reported: str, rules: str, source: str, **more: Any
) -> Published:
    accepted = frozenset(rules.split())
    return Published(number, settings, reported, accepted, source, **more)


def published() -> list[Published]:
    """Return the published set-ups, the quick ones first."""
    rows = [*_faulty(), *_healthy()]
    return sorted(rows, key=lambda row: row.slow)


def _faulty() -> list[Published]:
    book = "Nielsen, Neural Networks and Deep Learning, ch. 1"
    return [
        _row("1", f"{QUADRATIC} model.hidden=100 {RATE}=0.0005", "21.42 %",
             f"{LOW} {FEW}", book, slow=True),
        _row("2", f"{QUADRATIC} model.hidden=30 {RATE}=50", "9.82 %", HIGH, book, slow=True),
        _row("5", f"{NIELSEN} {NORMAL} model.hidden=30 loss.name=sse model.output=identity "
             f"{RATE}=1.5 model.activation=identity training.epochs=3", "loss inf, 3 to 30 %",
             f"no-nonlinearity {LOSS} {HIGH}", "Stack Overflow 48385830"),
        _row("6", "model.hidden=5000,600 model.dropout=0.1 optimizer.nesterov=true "
             f"{RATE}=0.01 optimizer.schedule=constant training.batch_size=2000 training.epochs=5",
             "learns too little", f"{FEW} {LOW}", "Stack Overflow 44164749", slow=True),
        _row("11", f"{TINY} {PLAIN} {RATE}=0.1 model.hidden=256,256,256 training.epochs=2",
             "10 %", "small-weights vanishing-gradient",
             "yizt/numpy_neural_network issue 1"),
        _row("13", f"{RAW} {PLAIN} {RATE}=0.1 model.hidden=32,32 training.batch_size=256 "
             "training.epochs=10", "11.3 %", f"{HIGH} {SCALE}", "ml-explore/mlx issue 188"),
        _row("14", f"{RAW} {KERAS} training.epochs=20", "below 30 %", SCALE,
             "keras-team/keras issue 6914", slow=True),
        _row("16", f"{RAW} {PLAIN} {RATE}=0.01 model.hidden=100 training.batch_size=100 "
             "training.epochs=15", "below 50 %", SCALE, "Data Science SE 18667"),
        _row("18", f"data.name=fashion-mnist {RAW} model.hidden=128 optimizer.name=adam "
             f"{RATE}=0.001 optimizer.schedule=constant training.batch_size=32 training.epochs=5",
             "10 %", SCALE, "Data Science SE 39929"),
        _row("20", f"{PLAIN} {RATE}=0.01 model.hidden=100 loss.name=mse model.output=sigmoid "
             "training.batch_size=32 training.epochs=5", "never answers 8 or 9", LOSS,
             "Data Science SE 86652"),
        _row("21", f"{PLAIN} {RATE}=0.1 model.hidden=16 model.init=glorot-uniform loss.name=mse "
             "model.output=softmax training.epochs=400", "collapses", f"{LOSS} bottleneck",
             "stats.SE 442709", slow=True),
        _row("25", "data.name=fashion-mnist data.normalize=standard model.hidden="
             f"300{',100' * 99} model.init=he-normal {PLAIN} {RATE}=0.001 training.batch_size=32 "
             "training.epochs=5", "38 to 70 %", "vanishing-gradient exploding-gradient",
             "Géron, Hands-On Machine Learning, ch. 11", slow=True),
        _row("27", f"{SIGMOIDS} model.hidden=5{',5' * 10} training.epochs=50", "does not learn",
             f"vanishing-gradient {SCALE}", "DeepDiagnosis, model_2569b90f", data=_blobs),
        _row("29", f"{SIGMOIDS} model.hidden=5{',5' * 10} training.epochs=50", "does not learn",
             f"vanishing-gradient {SCALE}", "DeepDiagnosis, 5ab0aeda", data=_circles),
    ]  # fmt: skip


def _healthy() -> list[Published]:
    ch1, ch5 = "Nielsen, ch. 1", "Nielsen, ch. 5"
    deep = (("96.47 %", 1), ("96.8 %", 2), ("96.42 %", 3), ("96.28 %", 4))
    return [
        _row("H1", f"{QUADRATIC} model.hidden=30 {RATE}=1.5", "95.42 %", HEALTHY, ch1, slow=True),
        _row("H2", f"{QUADRATIC} model.hidden=100 {RATE}=1.5", "96.59 %", HEALTHY, ch1, slow=True),
        *(
            _row(f"H{2 + layers}", f"{ENTROPY} model.hidden=30{',30' * (layers - 1)} {RATE}=1 "
                 "optimizer.weight_decay=0.00001 training.epochs=30", accuracy, HEALTHY, ch5,
                 slow=True)
            for accuracy, layers in deep
        ),
        _row("H7", f"{KERAS} training.epochs=20", "98.40 %", HEALTHY, "keras issue 6914",
             slow=True),
        _row("H8", f"{TINY} {PLAIN} {RATE}=0.1 model.hidden=256,256 training.epochs=8",
             "96.7 %", HEALTHY, "yizt/numpy_neural_network"),
    ]  # fmt: skip
