"""The configuration of a run: five tables of keys, from a TOML file, the environment and options.

Each key is declared once, as a field with its default, the kind of its value, its option and a line
of help. Files, options, environment variables, `--set`, the resolved `config.toml` of a run and
`configs/default.toml` all follow from the declarations.

Nothing here needs NumPy, so that the number of threads can be settled before NumPy is imported.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from actcli.config.values import Auto, Integer, Kind, Label, Listed, Name, Number, Switch, Text


def setting(
    default: Any,
    kind: Kind,
    help_text: str,
    option: str | None = None,
    former_name: str | None = None,
) -> Any:
    """Declare a key.

    Args:
        default: its default value.
        kind: the values that it may hold.
        help_text: a noun phrase for `--help` and for `configs/default.toml`.
        option: the name of its option, where it is not that of the key.
        former_name: the name that the key had once, which still works.
    """
    return field(
        default=default,
        metadata={"kind": kind, "help": help_text, "option": option, "former_name": former_name},
    )


@dataclass(frozen=True)
class DataConfig:
    """What is learnt."""

    name: str = setting(
        "mnist", Text("NAME|PATH"), "data set: a name, a folder of IDX files, or an .npz", "dataset"
    )
    validation: int | str = setting(
        "auto", Auto(Integer(0)), "training rows held out; auto: 5000, or a sixth of a small set"
    )
    classes: tuple[str, ...] = setting((), Listed(Label()), "the classes to keep; empty: all")
    normalize: str = setting(
        "unit",
        Name("actcli.datasets.batches", "NORMALIZATIONS"),
        "pixels: unit (0 to 1), standard (mean 0, deviation 1) or none",
    )


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    hidden: tuple[int, ...] = setting(
        (256, 128), Listed(Integer(1)), "units of each hidden layer; empty: none"
    )
    activation: tuple[str, ...] = setting(
        ("relu",),
        Listed(Name("actcli.nn.activations", "ACTIVATIONS"), least=1, single=True),
        "of all hidden layers, or one for each",
    )
    init: str = setting(
        "auto",
        Auto(Name("actcli.nn.initializers", "INITIALIZERS")),
        "how weights start; auto: as fits the activation",
    )
    bias_init: str = setting(
        "zeros", Name("actcli.nn.initializers", "BIAS_INITIALIZERS"), "how biases start"
    )
    output: str = setting(
        "auto",
        Auto(Name("actcli.nn.links", "LINKS")),
        "what is made of the scores; auto: as fits the loss",
    )
    dropout: float = setting(0.0, Number(0, 1), "share of hidden units silenced at each step")


@dataclass(frozen=True)
class LossConfig:
    """What an error costs."""

    name: str = setting(
        "cross-entropy", Name("actcli.nn.losses", "LOSSES"), "what an error costs", "loss"
    )
    label_smoothing: float = setting(
        0.0, Number(0, 1), "share of the target spread over all classes"
    )


@dataclass(frozen=True)
class OptimizerConfig:
    """How the parameters move."""

    name: str = setting(
        "sgd", Name("actcli.nn.optimizers", "OPTIMIZERS"), "the update rule", "optimizer"
    )
    learning_rate: float | str = setting(
        "auto", Auto(Number(0, above=True)), "the peak; auto: the optimizer's own", "lr"
    )
    momentum: float = setting(0.9, Number(0, 1), "share of the last step that goes on (sgd)")
    nesterov: bool = setting(False, Switch(), "look ahead along the momentum (sgd)")
    betas: tuple[float, ...] = setting(
        (0.9, 0.999), Listed(Number(0, 1), least=2, most=2), "decay of the two means (adam, adamw)"
    )
    weight_decay: float | str = setting(
        "auto", Auto(Number(0)), "pull of weights to 0; auto: 0.01 for adamw, else 0"
    )
    clip_norm: float = setting(0.0, Number(0), "largest norm of the gradient; 0: any")
    schedule: str = setting(
        "one-cycle", Name("actcli.nn.schedules", "SCHEDULES"), "the learning rate over the steps"
    )
    warmup: float = setting(0.0, Number(0), "epochs in which the learning rate rises")


@dataclass(frozen=True)
class TrainingConfig:
    """How long, and with what."""

    epochs: int = setting(6, Integer(0), "passes over the training rows")
    batch_size: int = setting(128, Integer(1), "rows of a step")
    seed: int = setting(0, Integer(0), "of the weights, the order of the rows and the dropout")
    patience: int = setting(
        0, Integer(0), "stop after so many epochs without a better validation loss; 0: never"
    )
    workers: int | str = setting(
        "auto",
        Auto(Integer(1)),
        "worker processes per step; auto: 2, or 1 on one core",
        former_name="threads",
    )


@dataclass(frozen=True)
class Config:
    """Every choice that a run depends on."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)


@dataclass(frozen=True)
class Key:
    """One key of a table, as declared above."""

    table: str
    name: str
    kind: Kind
    default: Any
    help: str
    option: str  # without the dashes
    former_name: str | None = None  # a name that it had once, which still works

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that sets the key."""
        return f"ACTCLI_{self.option.replace('-', '_').upper()}"

    @property
    def former_path(self) -> str | None:
        """The key's former name with its table, such as "training.threads"."""
        return self.former_name and f"{self.table}.{self.former_name}"


TABLES: dict[str, Any] = {part.name: part.default_factory for part in fields(Config)}

KEYS: tuple[Key, ...] = tuple(
    Key(
        table,
        entry.name,
        entry.metadata["kind"],
        entry.default,
        entry.metadata["help"],
        entry.metadata["option"] or entry.name.replace("_", "-"),
        entry.metadata["former_name"],
    )
    for table, part in TABLES.items()
    for entry in fields(part)
)


def values(config: Config) -> Iterator[tuple[Key, Any]]:
    """Each key with its value."""
    for key in KEYS:
        yield key, getattr(getattr(config, key.table), key.name)


def to_toml(config: Config) -> str:
    """A complete configuration file that reads back as the same configuration."""
    lines = []
    for table in TABLES:
        lines.append(f"[{table}]")
        lines += [
            f"{key.name} = {toml_value(value)}"
            for key, value in values(config)
            if key.table == table
        ]
        lines.append("")
    return "\n".join(lines)


def toml_value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    if isinstance(value, float):
        return repr(value)
    # JSON's strings, numbers and booleans are TOML's, but for a DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
