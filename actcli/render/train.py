"""The output of a training: a row or a sentence for each epoch, and a summary at the end.

A terminal shows an epoch as a row under headings; a pipe or a file gets a sentence.
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
from actcli.diagnostics import FAULTLESS
from actcli.store.record import RunResult
from actcli.term.canvas import Canvas
from actcli.term.numbers import fixed, grouped, percent, rounded, significant
from actcli.term.text import printable
from actcli.training.events import EpochDone, Score

ACCURACY_DECIMALS = 2  # of a percentage: one image in 10,000
MAX_ROWS = 20  # of the table of epochs, so that it fits one screen
RATE_COLUMNS = 8
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class EpochTable:
    """The rows of the epochs, printed one by one below their headings.

    If the width does not suffice, learning rate and speed are left out, then the training accuracy,
    then all training scores.

    Args:
        epochs: the number of epochs of the training.
        validated: whether there are validation scores.
        canvas: the available width, and the characters that can be shown.
    """

    epochs: int
    validated: bool
    canvas: Canvas

    @property
    def every(self) -> int:
        """The number of epochs for each row, so that there are at most 20 rows: 1, 2, 5, …."""
        powers = (10**digits for digits in range(len(str(self.epochs))))
        steps: list[int] = [step * power for power in powers for step in (1, 2, 5)]
        return min(step for step in steps if self.epochs <= step * MAX_ROWS)

    def headings(self) -> Text:
        """Return the two lines of headings."""
        line = "-" if self.canvas.ascii else "─"
        training, validation = (f" {name} ".center(18, line) for name in ("training", "validation"))
        names = "loss", "accuracy"
        upper = self._line("", "", (training, "training"), validation, "")
        lower = self._line("epoch", "rate  ", (_pair(*names), names[0]), _pair(*names), "rows/s")
        return Text.assemble((f"{upper}\n", "dim"), (lower, "bold"))

    def row(self, epoch: EpochDone) -> Text:
        """Return the row of an epoch; dim if an earlier epoch was better."""
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
        """Return an epoch as one line without headings, shortened for a narrow terminal."""
        first = f"epoch {epoch.epoch}/{self.epochs}"
        rate = f"learning rate {significant(epoch.learning_rate, 3)}"
        train = f"training {_score_text(epoch.train)}"
        validation = [f"validation {_score_text(epoch.validation)}"] if epoch.validation else []
        speed = f"{rounded(epoch.examples_per_second)} rows/s"
        variants = [[first, rate, train, *validation, speed], [first, train, *validation]]
        return Text(_widest(variants + [[first, *validation]] * len(validation), self.canvas.width))

    def _line(
        self, epoch: str, rate: str, train: tuple[str, str], validation: str, speed: str
    ) -> str:
        """Return the widest line that fits; `train` has both scores, and the loss alone."""
        first = epoch.rjust(max(7, len(f"{self.epochs}/{self.epochs}")))
        scores = [train[0], validation] if self.validated else [train[0]]
        variants = [[first, rate.rjust(RATE_COLUMNS), *scores, speed.rjust(9)], [first, *scores]]
        if self.validated:
            variants += [[first, train[1].rjust(8), validation], [first, validation]]
        return _widest(variants, self.canvas.width)


def _widest(variants: Sequence[Sequence[str]], width: int) -> str:
    """Return the first line that fits, or else the last one."""
    lines = ["  ".join(parts) for parts in variants]
    return next((line for line in lines if len(line) <= width), lines[-1])


def download_progress(console: Console) -> Progress:
    """Return progress bars for downloads: bytes, rate, time left."""
    return Progress(
        TextColumn("downloading {task.description}"),
        BarColumn(style="dim", complete_style="cyan"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
    )


def one_line(text: str) -> RenderableType:
    """Return a text that is not wrapped, because it begins with a path."""
    return Group(Text(text, no_wrap=True, overflow="ignore"))  # rich wraps a Text by itself


def summary(
    result: RunResult, folder: Path, rows: Mapping[str, int], next_command: str
) -> RenderableType:
    """Return the scores on each split, the verdict, the folder, and a command to try next.

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
    if result.class_weight != "none":
        facts["loss"] = f"weighted by class: {result.class_weight}"
    if result.examples_per_second:
        speed = rounded(result.examples_per_second)
        facts["time"] = f"{significant(result.seconds, 3)} s, {speed} rows/s"
    if result.temperature != 1:
        facts["calibrated"] = f"logits / {significant(result.temperature, 3)}"
    facts["verdict"] = result.verdict or ""
    if result.dead is not None:
        facts["dead"] = _dead(result.dead, rows["train"])
    facts["run"] = printable(str(folder))
    marked = "none" if result.verdict in FAULTLESS else "verdict"
    for name, fact in facts.items():
        lines.append(Text(f"{name:10}  {fact}".rstrip(), "bold" if name == marked else ""))
    return Group(*lines, Text.assemble(f"{'next':10}  ", (printable(next_command), "bold")))


def _dead(share: float, rows: int) -> str:
    """Return the share of dead units, and how it differs from the silent units of the live view."""
    units = f"{percent(share)} of the hidden units"
    return f"{units}: inactive on all {grouped(rows)} training rows" if share else units


def _epochs(result: RunResult) -> str:
    if result.kept_epoch == result.epochs:
        return grouped(result.epochs)
    return f"{grouped(result.epochs)}, the network is that of epoch {result.kept_epoch}, the best"


def _rate(rate: float) -> str:
    """Return a learning rate whose decimal point is always in the same column."""
    whole, point, decimals = (text := significant(rate, 3)).partition(".")
    aligned = f"{whole}{point or ' '}{decimals:6}"
    return aligned if len(aligned) == RATE_COLUMNS else text


def _texts(score: Score | None) -> tuple[str, str]:
    if score is None:
        return "", ""
    return loss_text(score.loss), accuracy_text(score.accuracy)


def loss_text(loss: float) -> str:
    """Return a loss; a large one has fewer decimals, so that it fits into its column."""
    return fixed(loss, 4 if loss < 1000 else 1)


def accuracy_text(accuracy: float) -> str:
    """Return an accuracy as a training writes it."""
    return percent(accuracy, ACCURACY_DECIMALS)


def _score_text(score: Score) -> str:
    loss, accuracy = _texts(score)
    return f"loss {loss} accuracy {accuracy}"


def _pair(loss: str, accuracy: str) -> str:
    return f"{loss:>8} {accuracy:>9}"


def settings_table(config: Tables, origins: Mapping[str, str], unused: Mapping[str, str]) -> Table:
    """Return a table of the keys, their values and the origins of the values.

    Args:
        config: the configuration.
        origins: for each key that is not a default, where its value comes from.
        unused: for each key without an effect, why it has none.
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
