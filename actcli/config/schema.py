"""The configuration of a run: five tables of keys, each key declared once.

A key is a dataclass field with its default, its kind of value, its option and a help text. Files,
options, environment variables, `--set`, the `config.toml` of a run and `configs/default.toml` all
follow from these declarations.

A table checks its values when it is made, and `Config` checks that the tables agree: a `Config` is
valid or cannot be made. Values may be `"auto"`; `Config.resolve()` fills them in and gives a
`ResolvedConfig`, which training takes.

Importing this module does not import NumPy: `--help` and completion need not wait for it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from actcli.config.mistakes import ConfigError, Mistake
from actcli.config.values import (
    Auto,
    Integer,
    Kind,
    Label,
    Listed,
    Name,
    Number,
    Switch,
    Text,
)
from actcli.registry import declared_names

if TYPE_CHECKING:
    from actcli.config.resolved import ResolvedConfig


# The automatic values for MNIST, and for other images.
IMAGE_EPOCHS, IMAGE_BATCH_ROWS = 6, 128


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
        option: the name of its option; None for the name of the key.
        former_name: a former name of the key, which still works.
    """
    return field(
        default=default,
        metadata={"kind": kind, "help": help_text, "option": option, "former_name": former_name},
    )


class Table:
    """A table of the configuration. A wrong value raises `ConfigError`."""

    def __post_init__(self) -> None:
        mistakes = []
        for key in KEYS_OF[type(self)]:
            try:
                # As from a TOML file, a list becomes a tuple and, for a float key, an int a float.
                object.__setattr__(self, key.name, key.kind.check(getattr(self, key.name)))
            except ValueError as error:
                text = f"[{key.table}] {key.name} must be {error}"
                mistakes.append(Mistake(text, frozenset([str(key)])))
        if mistakes:
            raise ConfigError(mistakes)


@dataclass(frozen=True)
class DataConfig(Table):
    """The data set, its rows and its inputs."""

    name: str = setting(
        "mnist",
        Text("NAME|PATH"),
        "data set: a name, a folder of IDX files, an .npz file, or a CSV file",
        "dataset",
    )
    target: str = setting(
        "last",
        Label("COLUMN"),
        "column of the classes in a CSV file: its name, its number from 1, or last",
    )
    validation: int | str = setting(
        "auto",
        Auto(Integer(0)),
        "training rows held out for validation; auto: 5000; below 10,000 rows, a sixth",
    )
    classes: tuple[str, ...] = setting((), Listed(Label()), "classes to keep; empty: all")
    normalize: str = setting(
        "auto",
        Auto(Name("actcli.datasets.batches", "NORMALIZATIONS")),
        "input normalization: unit (0 to 1), standard (mean 0, deviation 1), column (standard for "
        "each column of a table) or none; auto: unit for images, column for tables",
    )

    @property
    def is_in_catalogue(self) -> bool:
        """Whether the name is that of a data set of the catalogue."""
        return self.name in declared_names("actcli.datasets.catalogue", "DATASETS")

    @property
    def source(self) -> tuple[str, str]:
        """The data set as its files hold it: its name, and the column of the classes."""
        return self.name, self.target


@dataclass(frozen=True)
class ModelConfig(Table):
    """The network."""

    hidden: tuple[int, ...] = setting(
        (256, 128), Listed(Integer(1)), "units of each hidden layer; empty: no hidden layer"
    )
    activation: tuple[str, ...] = setting(
        ("relu",),
        Listed(Name("actcli.nn.activations", "ACTIVATIONS"), min_length=1, single=True),
        "activation of all hidden layers, or one for each",
    )
    init: str = setting(
        "auto",
        Auto(Name("actcli.nn.initializers", "INITIALIZERS")),
        "weight initializer; auto: the one that fits the activation",
    )
    init_scale: float = setting(
        1.0, Number(0, above=True), "factor of the initial weights; 1: as drawn"
    )
    bias_init: str = setting(
        "zeros", Name("actcli.nn.initializers", "BIAS_INITIALIZERS"), "bias initializer"
    )
    output: str = setting(
        "auto",
        Auto(Name("actcli.nn.links", "LINKS")),
        "output activation; auto: the one that fits the loss",
    )
    dropout: float = setting(0.0, Number(0, 1), "dropout probability of the hidden units")

    @property
    def layer_activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        names = self.activation
        return names * len(self.hidden) if len(names) == 1 else names


@dataclass(frozen=True)
class LossConfig(Table):
    """The loss function."""

    name: str = setting(
        "cross-entropy", Name("actcli.nn.losses", "LOSSES"), "loss function", "loss"
    )
    label_smoothing: float = setting(
        0.0, Number(0, 1), "label smoothing: share of the target spread over all classes"
    )
    class_weight: str = setting(
        "none",
        Name("actcli.nn.class_weights", "CLASS_WEIGHTS"),
        "weight of a row's loss by its class: none, or balanced for equal sums of all classes",
    )

    def describe(self) -> str:
        """Return the name of the loss, and that of its class weights if it has some."""
        return self.name if self.class_weight == "none" else f"{self.name}, {self.class_weight}"


@dataclass(frozen=True)
class OptimizerConfig(Table):
    """The optimizer and its learning rate."""

    name: str = setting("sgd", Name("actcli.nn.optimizers", "OPTIMIZERS"), "optimizer", "optimizer")
    learning_rate: float | str = setting(
        "auto",
        Auto(Number(0, above=True)),
        "peak learning rate; auto: the optimizer's default",
        "lr",
    )
    momentum: float = setting(0.9, Number(0, 1), "momentum (sgd)")
    nesterov: bool = setting(False, Switch(), "Nesterov momentum (sgd)")
    betas: tuple[float, ...] = setting(
        (0.9, 0.999),
        Listed(Number(0, 1), min_length=2, max_length=2),
        "decay rates of the two moment estimates (adam, adamw)",
    )
    weight_decay: float | str = setting(
        "auto", Auto(Number(0)), "weight decay; auto: 0.01 for adamw, and for sgd on tables; else 0"
    )
    clip_norm: float = setting(0.0, Number(0), "maximum gradient norm; 0: no clipping")
    schedule: str = setting(
        "one-cycle", Name("actcli.nn.schedules", "SCHEDULES"), "learning-rate schedule"
    )
    warmup: float = setting(0.0, Number(0), "warm-up epochs, in which the learning rate rises")


@dataclass(frozen=True)
class TrainingConfig(Table):
    """The length of the training, its mini-batches, seed and workers."""

    epochs: int | str = setting(
        "auto", Auto(Integer(0)), "passes over the training rows; auto: 6, on small tables more"
    )
    batch_size: int | str = setting(
        "auto", Auto(Integer(1)), "mini-batch size; auto: 128, on small tables down to 32"
    )
    seed: int = setting(0, Integer(0), "seed of the initial weights, the row order and dropout")
    patience: int = setting(
        0,
        Integer(0),
        "epochs without a better validation loss before training stops; 0: no early stopping",
    )
    calibrate: bool = setting(
        False, Switch(), "temperature scaling on the validation rows, after the training"
    )
    workers: int | str = setting(
        "auto",
        Auto(Integer(1)),
        "worker processes per step; auto: 2, or 1 on one core",
        former_name="threads",
    )


@dataclass(frozen=True)
class Tables:
    """The five tables, each valid by itself."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def to_toml(self) -> str:
        """Return a complete configuration file, which reads back as the same configuration."""
        lines = []
        for table in TABLES:
            lines.append(f"[{table}]")
            lines += [
                f"{key.name} = {toml_value(value)}"
                for key, value in values(self)
                if key.table == table
            ]
            lines.append("")
        return "\n".join(lines)


@dataclass(frozen=True)
class Config(Tables):
    """All settings that a run depends on. A `Config` is valid, or it cannot be made.

    `Config()` is the default configuration.

    Raises:
        ConfigError: keys exclude each other; the message lists all clashes.
    """

    def __post_init__(self) -> None:
        from actcli.config.clashes import find_clashes

        if mistakes := find_clashes(self):
            raise ConfigError(mistakes)

    @classmethod
    def load(cls, source: str | Path | None = None) -> "Config":
        """Return the configuration of a TOML file.

        Args:
            source: the path of a file, such as a run's `config.toml`, or the name of an example
                configuration, such as "sigmoid". None gives the defaults.

        Raises:
            UsageError: the file does not exist, cannot be read, or is not TOML.
            ConfigError: unknown keys, wrong values or clashes; the message lists all of them.
        """
        from actcli.config.sources import assemble, find_config, read_toml

        if source is None:
            return Config()
        return assemble(read_toml(find_config(str(source)), str(source)))

    def with_(self, key: str, value: Any) -> Self:
        """Return a copy with another value for one key.

        Args:
            key: the key's path, such as "optimizer.learning_rate", or its option, such as "lr".
            value: a value as in a TOML file: a number, a string, a boolean or a list.

        Raises:
            UsageError: there is no such key; the message gives the nearest.
            ConfigError: the value is not allowed, or clashes with the value of another key.
        """
        return self.with_values({key: value})

    def with_values(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with other values for several keys, which are checked together.

        Args:
            changes: key -> value, both as `with_` takes them.

        Raises:
            UsageError: there is no such key; the message gives the nearest.
            ConfigError: a value is not allowed, or values clash.
        """
        from actcli.config.keys import find_option

        tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
        for key, value in values(self):
            tables[key.table][key.name] = value
        for name, value in changes.items():
            key = find_option(name)
            tables[key.table][key.name] = value
        return type(self)(**make_tables(tables))

    def resolve(self) -> "ResolvedConfig":
        """Return the configuration with each `"auto"` replaced by the value that it stands for."""
        from actcli.config.resolved import resolve

        return resolve(self)


@dataclass(frozen=True)
class Key:
    """One key of a table, as `setting` declares it."""

    table: str
    name: str
    kind: Kind
    default: Any
    help: str
    option: str  # without the dashes
    former_name: str | None = None  # still works

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


TABLES: dict[str, Any] = {part.name: part.default_factory for part in fields(Tables)}

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

KEYS_OF: dict[type, tuple[Key, ...]] = {
    part: tuple(key for key in KEYS if key.table == table) for table, part in TABLES.items()
}


def make_tables(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the five tables by name.

    Args:
        entries: table -> key -> value; a missing key has its default.

    Raises:
        ConfigError: values are not allowed; the message lists the mistakes of all tables.
    """
    tables: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, table in TABLES.items():
        try:
            tables[name] = table(**entries.get(name, {}))
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return tables


def values(config: Tables) -> Iterator[tuple[Key, Any]]:
    """Yield each key with its value in a configuration file, where `"auto"` stands for None."""
    automatic = getattr(config, "automatic", ())  # of a `ResolvedConfig`
    for key in KEYS:
        value = getattr(getattr(config, key.table), key.name)
        yield key, "auto" if value is None or str(key) in automatic else value


def toml_value(value: Any) -> str:
    """Return a value in TOML's syntax."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    # Strings, numbers and booleans are written as in JSON, but TOML also escapes DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
