"""A training as it goes, a row per epoch, and what it came to.

An epoch is told in two ways: as a row under headings where somebody watches, and as a sentence of
its own where a pipe or a file keeps it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from actcli.render.numbers import fixed, grouped, percent, significant
from actcli.render.text import printable
from actcli.training.config import Config, toml_value, values
from actcli.training.loop import EpochDone, Score
from actcli.training.run import Result

NARROW = 67  # columns: below, the learning rate and the speed are left out
DECIMALS = 2  # of an accuracy in percent: one image in 10,000


@dataclass(frozen=True)
class EpochTable:
    """Rows that are printed one by one, under headings that were printed before.

    Args:
        epochs: how many there will be.
        validated: whether there are validation scores.
        width: columns that there are.
        ascii_only: whether the stream shows ASCII alone.
    """

    epochs: int
    validated: bool
    width: int
    ascii_only: bool

    def headings(self) -> Text:
        """Two lines."""
        line = "-" if self.ascii_only else "─"
        training, validation = (f" {name} ".center(18, line) for name in ("training", "validation"))
        names = _pair("loss", "accuracy")
        upper = self._line("", "", training, validation, "")
        lower = self._line("epoch", "rate", names, names, "rows/s")
        return Text.assemble((f"{upper}\n", "dim"), (lower, "bold"))

    def row(self, epoch: EpochDone) -> Text:
        """One line; bold if no epoch was better before."""
        line = self._line(
            f"{epoch.epoch}/{self.epochs}",
            significant(epoch.learning_rate, 3),
            _pair(*_texts(epoch.train)),
            _pair(*_texts(epoch.validation)),
            grouped(round(epoch.examples_per_second)),
        )
        return Text(line, style="bold" if epoch.best else "")

    def sentence(self, epoch: EpochDone) -> Text:
        """One line that needs no headings."""
        parts = [
            f"epoch {epoch.epoch}/{self.epochs}",
            f"learning rate {significant(epoch.learning_rate, 3)}",
            f"training {_told(epoch.train)}",
        ]
        if epoch.validation:
            parts.append(f"validation {_told(epoch.validation)}")
        parts.append(f"{grouped(round(epoch.examples_per_second))} rows/s")
        return Text("  ".join(parts))

    def _line(self, epoch: str, rate: str, train: str, validation: str, speed: str) -> str:
        parts = [epoch.rjust(7), train]
        if self.validated:
            parts.append(validation)
        if self.width >= NARROW:
            parts.insert(1, rate.rjust(8))
            parts.append(speed.rjust(8))
        return "  ".join(parts)


class LiveProgress:
    """A line that moves while the steps of all epochs go by, and is gone at the end.

    Args:
        console: where it is drawn, whenever `update` is called and not in between.
        rows: of all epochs together.
    """

    def __init__(self, console: Console, rows: int) -> None:
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]} rows/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        self.progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self.task = self.progress.add_task("", total=rows, epoch=1, speed="-")

    def update(self, epoch: int, rows: int, speed: float) -> None:
        """Draw it anew: the epoch, rows so far, rows per second."""
        self.progress.update(
            self.task, completed=rows, refresh=True, epoch=epoch, speed=grouped(round(speed))
        )


def summary(result: Result, rows: Mapping[str, int], next_command: str) -> RenderableType:
    """The scores on each split, where the run is, and what to try next.

    Args:
        result: of the run.
        rows: how many each split has.
        next_command: a command line.
    """
    scores = Table.grid(padding=(0, 2, 0, 0))
    scores.add_column(width=10)
    for _ in range(3):
        scores.add_column(justify="right", no_wrap=True)
    scores.add_row("", "loss", "accuracy", "rows", style="bold")
    for name in ("train", "validation", "test"):
        score: Score | None = getattr(result, name)
        if score:
            style = "bold" if name == "test" else ""
            scores.add_row(name, *_texts(score), grouped(rows[name]), style=style)
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(width=10)
    facts.add_column(overflow="fold")
    facts.add_row("parameters", grouped(result.parameters))
    facts.add_row("epochs", _epochs(result))
    if result.examples_per_second:
        speed = grouped(round(result.examples_per_second))
        facts.add_row("time", f"{significant(result.seconds, 3)} s, {speed} rows/s")
    facts.add_row("run", printable(str(result.run)))
    facts.add_row("next", Text(next_command, style="bold"))
    return Group(scores, "", facts)


def _epochs(result: Result) -> str:
    if result.kept_epoch == result.epochs:
        return grouped(result.epochs)
    return f"{grouped(result.epochs)}, the network is that of epoch {result.kept_epoch}, the best"


def _texts(score: Score | None) -> tuple[str, str]:
    return (fixed(score.loss), percent(score.accuracy, DECIMALS)) if score else ("", "")


def _told(score: Score) -> str:
    loss, accuracy = _texts(score)
    return f"loss {loss} accuracy {accuracy}"


def _pair(loss: str, accuracy: str) -> str:
    return f"{loss:>8} {accuracy:>9}"


def settings_table(config: Config, origins: Mapping[str, str], unused: Mapping[str, str]) -> Table:
    """Each key with its value and where that comes from.

    Args:
        config: what would be trained with.
        origins: by key, who gave its value; "default" where nobody did.
        unused: by key, why it has no effect.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for heading in ("key", "value", "from"):
        table.add_column(heading, overflow="fold")
    table.add_row("key", "value", "from", style="bold")
    for key, value in values(config):
        name, origin = str(key), origins.get(str(key), "default")
        if name in unused:
            origin += f" ({unused[name]})"
        style = "dim" if name in unused else "" if origin == "default" else "bold"
        table.add_row(name, printable(toml_value(value)), printable(origin), style=style)
    return table
