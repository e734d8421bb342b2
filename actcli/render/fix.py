"""The view of `actcli fix`: a row for each try, before and after side by side, and the cure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.config.schema import toml_value
from actcli.diagnostics import HEALTHY
from actcli.diagnostics.findings import Remedy
from actcli.store.condition import Condition
from actcli.store.fix_result import CALIBRATED, FixResult, Try
from actcli.term.canvas import Canvas
from actcli.term.numbers import percent, significant
from actcli.term.table import Column, command_line, fit, lines, numbers, paragraph, titled

LABEL_COLUMNS = 12


def change_text(remedy: Remedy) -> str:
    """Return the changes of a remedy in one line: model.activation = "relu", …."""
    return ", ".join(f"{path} = {toml_value(value)}" for path, value in remedy.changes.items())


def gain_text(gain: float) -> str:
    """Return a gain of accuracy in percentage points, with its sign."""
    return f"{100 * gain:+.2f}"


def measure_text(condition: Condition) -> str:
    """Return the name of the accuracy by which runs are compared, with its rows."""
    return f"{condition.rows} accuracy{' by class' if condition.by_class else ''}"


def try_sentence(attempt: Try, tries: int) -> str:
    """Return a try in one line, for a file or a pipe.

    Args:
        attempt: the try.
        tries: the largest number of tries.
    """
    first = f"try {attempt.number}/{tries}  {change_text(attempt.remedy)}"
    if attempt.after is None or attempt.gain is None:
        return f"{first}  {attempt.outcome}"
    return (
        f"{first}  {attempt.after.verdict}  {measure_text(attempt.after)} "
        f"{percent(attempt.after.score, 2)} ({gain_text(attempt.gain)})  {attempt.outcome}"
    )


@dataclass(frozen=True)
class FixView:
    """The view of a fix.

    Args:
        result: the result of `actcli fix`.
        commands: command lines to try next.
    """

    result: FixResult
    commands: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas, result = Canvas.of(options), self.result
        yield titled(canvas.printable(result.before.run), self._outcome(), canvas)
        if result.tries:
            yield Text()
            yield from lines(fit(_tries(result.tries, canvas), canvas.width))
            yield Text()
            yield from lines(fit(_sides(result.before, result.after, canvas), canvas.width))
            for attempt in result.tries:
                if attempt.after is None:
                    yield paragraph(attempt.outcome, canvas, f"try {attempt.number}: ")
        for position, remedy in enumerate(result.planned, 1):
            text = f"{change_text(remedy)}  {remedy.reason}".strip()
            yield paragraph(text, canvas, f"{position}  ")
        if result.changes:
            yield Text()
            toml = Remedy("", result.changes).to_toml()
            is_calibrated = result.tries[0].outcome == CALIBRATED
            label = "cure" if result.is_healthy or is_calibrated else "best so far"
            yield paragraph(toml, canvas, f"{label:{LABEL_COLUMNS}}")
        label = "next"
        for command in self.commands:
            yield command_line(f"{label:{LABEL_COLUMNS}}", command, canvas)
            label = ""

    def _outcome(self) -> str:
        result, count = self.result, len(self.result.tries)
        if result.planned:
            return f"{result.before.verdict}; remedies in the order in which they would be tried"
        if result.tries and result.tries[0].outcome == CALIBRATED:
            return "calibrated on the validation rows"
        if result.before.verdict == HEALTHY:
            return "healthy: there is nothing to fix"
        tries = "1 try" if count == 1 else f"{count} tries"
        if result.is_healthy:
            return f"cured of {result.before.verdict} in {tries}"
        if not count:
            return f"{result.before.verdict}: no key of the configuration cures it"
        best = "" if result.changes else ": the run itself is still the best"
        return f"not cured of {result.before.verdict} in {tries}{best}"


def _tries(tries: Sequence[Try], canvas: Canvas) -> list[Column]:
    measure = next((measure_text(each.after) for each in tries if each.after), "accuracy")
    runs = [each.after.run if each.after else "" for each in tries]
    verdicts = [each.after.verdict if each.after else "" for each in tries]
    accuracies = [percent(each.after.score, 2) if each.after else "" for each in tries]
    gains = ["" if each.gain is None else gain_text(each.gain) for each in tries]
    outcomes = [each.outcome if each.after else "not allowed" for each in tries]
    return [
        numbers("try", [str(each.number) for each in tries]),
        Column("change", [canvas.plain(change_text(each.remedy)) for each in tries], left=True),
        Column("verdict", verdicts, rank=1, left=True),
        Column(measure, accuracies, rank=2),
        numbers("gain", gains, rank=3),
        Column("", outcomes, left=True),
        Column("run", [canvas.printable(run) for run in runs], rank=4, left=True),
    ]


def _sides(before: Condition, after: Condition, canvas: Canvas) -> list[Column]:
    """Return the columns of the run before and of the best run."""
    names = ["run", measure_text(before), "test accuracy", "dead units"]
    names += ["calibration error", "verdict"]

    def texts(side: Condition) -> list[str]:
        dead = "" if side.dead is None else percent(side.dead)
        accuracy, test = percent(side.score, 2), percent(side.test, 2)
        ece = "" if side.ece is None else significant(side.ece, 3)
        return [canvas.printable(side.run), accuracy, test, dead, ece, side.verdict]

    return [
        Column("", names, left=True),
        Column("before", texts(before), left=True),
        Column("after", texts(after), left=True),
    ]
