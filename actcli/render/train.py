"""A training as it goes, a row per epoch, and what it came to.

An epoch is told in two ways: as a row under headings where somebody watches, and as a sentence of
its own where a pipe or a file keeps it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from actcli.config.schema import Tables, toml_value, values
from actcli.diagnostics import HEALTHY
from actcli.store.record import RunResult
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, percent, rounded, significant
from actcli.term.text import printable
from actcli.training.events import EpochDone, Score

DECIMALS = 2  # of an accuracy in percent: one image in 10,000
ROWS = 20  # of epochs at most: a table of more than a screen is not read
WIDTH_OF_RATE = 8
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class EpochTable:
    """Rows that are printed one by one, under headings that were printed before.

    Where the width does not suffice, the learning rate and the speed are left out, then the
    accuracy in training, then the training.

    Args:
        epochs: how many there will be.
        validated: whether there are validation scores.
        canvas: of the width that there is.
    """

    epochs: int
    validated: bool
    canvas: Canvas

    @property
    def every(self) -> int:
        """Of so many epochs one has a row, so that there are at most twenty: 1, 2, 5, 10, …."""
        powers = (10**digits for digits in range(len(str(self.epochs))))
        steps: list[int] = [step * power for power in powers for step in (1, 2, 5)]
        return min(step for step in steps if self.epochs <= step * ROWS)

    def headings(self) -> Text:
        """Two lines."""
        line = "-" if self.canvas.ascii else "─"
        training, validation = (f" {name} ".center(18, line) for name in ("training", "validation"))
        names = "loss", "accuracy"
        upper = self._line("", "", (training, "training"), validation, "")
        lower = self._line("epoch", "rate  ", (_pair(*names), names[0]), _pair(*names), "rows/s")
        return Text.assemble((f"{upper}\n", "dim"), (lower, "bold"))

    def row(self, epoch: EpochDone) -> Text:
        """One line; dim if an epoch before was better."""
        train = _texts(epoch.train)
        line = self._line(
            f"{epoch.epoch}/{self.epochs}",
            _rate(epoch.learning_rate),
            (_pair(*train), train[0]),
            _pair(*_texts(epoch.validation)),
            rounded(epoch.examples_per_second),
        )
        return Text(line, style="" if epoch.best else "dim")

    def sentence(self, epoch: EpochDone) -> Text:
        """One line that needs no headings; all of it, but in a terminal that is too narrow."""
        first = f"epoch {epoch.epoch}/{self.epochs}"
        rate = f"learning rate {significant(epoch.learning_rate, 3)}"
        train = f"training {_told(epoch.train)}"
        validation = [f"validation {_told(epoch.validation)}"] if epoch.validation else []
        speed = f"{rounded(epoch.examples_per_second)} rows/s"
        choice = [[first, rate, train, *validation, speed], [first, train, *validation]]
        return Text(_widest(choice + [[first, *validation]] * len(validation), self.canvas.width))

    def _line(
        self, epoch: str, rate: str, train: tuple[str, str], validation: str, speed: str
    ) -> str:
        """The widest that there is room for; of the training, all and the loss alone are given."""
        first = epoch.rjust(max(7, len(f"{self.epochs}/{self.epochs}")))
        scores = [train[0], validation] if self.validated else [train[0]]
        choice = [[first, rate.rjust(WIDTH_OF_RATE), *scores, speed.rjust(9)], [first, *scores]]
        if self.validated:
            choice += [[first, train[1].rjust(8), validation], [first, validation]]
        return _widest(choice, self.canvas.width)


def _widest(choice: Sequence[Sequence[str]], width: int) -> str:
    """The first line that there is room for, else the last."""
    lines = ["  ".join(parts) for parts in choice]
    return next((line for line in lines if len(line) <= width), lines[-1])


def download_progress(console: Console) -> Progress:
    """A bar for each file that is downloaded: bytes, rate, time left."""
    return Progress(
        TextColumn("downloading {task.description}"),
        BarColumn(style="dim", complete_style="cyan"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
    )


def summary(
    result: RunResult, folder: Path, rows: Mapping[str, int], next_command: str
) -> RenderableType:
    """The scores on each split, how the network is, where the run is, and what to try next.

    Args:
        result: of the run.
        folder: of the run.
        rows: the number of rows of each split.
        next_command: a command line to try next.
    """
    lines = [Text(f"{'':10} {_pair('loss', 'accuracy')} {'rows':>9}", style="bold")]
    for name in SPLITS:
        score: Score | None = getattr(result, name)
        if score:
            line = f"{name:10} {_pair(*_texts(score))} {grouped(rows[name]):>9}"
            lines.append(Text(line, style="bold" if name == "test" else ""))
    facts = {"": "", "parameters": grouped(result.parameters), "epochs": _epochs(result)}
    if result.examples_per_second:
        speed = rounded(result.examples_per_second)
        facts["time"] = f"{significant(result.seconds, 3)} s, {speed} rows/s"
    facts["verdict"] = result.verdict or ""
    if result.dead is not None:
        facts["dead"] = f"{percent(result.dead)} of the hidden units"
    facts["run"] = printable(str(folder))
    marked = "none" if result.verdict == HEALTHY else "verdict"
    for name, fact in facts.items():
        lines.append(Text(f"{name:10}  {fact}".rstrip(), "bold" if name == marked else ""))
    return Group(*lines, Text.assemble(f"{'next':10}  ", (printable(next_command), "bold")))


def _epochs(result: RunResult) -> str:
    if result.kept_epoch == result.epochs:
        return grouped(result.epochs)
    return f"{grouped(result.epochs)}, the network is that of epoch {result.kept_epoch}, the best"


def _rate(rate: float) -> str:
    """With its point below that of the rows above, which are printed before it is known."""
    whole, point, decimals = (text := significant(rate, 3)).partition(".")
    aligned = f"{whole}{point or ' '}{decimals:6}"
    return aligned if len(aligned) == WIDTH_OF_RATE else text


def _texts(score: Score | None) -> tuple[str, str]:
    if score is None:
        return "", ""
    return loss_text(score.loss), accuracy_text(score.accuracy)


def loss_text(loss: float) -> str:
    """Large losses have fewer decimals, so that they fit into the column."""
    return fixed(loss, 4 if loss < 1000 else 1)


def accuracy_text(accuracy: float) -> str:
    """As all accuracies of a training are written."""
    return percent(accuracy, DECIMALS)


def _told(score: Score) -> str:
    loss, accuracy = _texts(score)
    return f"loss {loss} accuracy {accuracy}"


def _pair(loss: str, accuracy: str) -> str:
    return f"{loss:>8} {accuracy:>9}"


def settings_table(config: Tables, origins: Mapping[str, str], unused: Mapping[str, str]) -> Table:
    """Each key with its value and where that comes from.

    Args:
        config: what would be trained with.
        origins: by key, who gave its value; "default" where nobody did.
        unused: by key, why it has no effect.
    """
    table = Table.grid(padding=(0, 2, 0, 0))
    for heading in ("key", "value", "from"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "key")
    table.add_row("key", "value", "from", style="bold")
    for key, value in values(config):
        name, origin = str(key), origins.get(str(key), "default")
        if name in unused:
            origin += f" ({unused[name]})"
        style = "dim" if name in unused else "" if origin == "default" else "bold"
        table.add_row(name, printable(toml_value(value)), printable(origin), style=style)
    return table
