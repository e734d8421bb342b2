"""The check-up of the installation as lines: a fact each, then the reasons for slow training."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from actcli.explore.doctor import Checkup
from actcli.term.canvas import Canvas
from actcli.term.numbers import significant
from actcli.term.table import paragraph

LABEL_COLUMNS = 15


@dataclass(frozen=True)
class DoctorView:
    """The view of `actcli doctor`."""

    checkup: Checkup

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        canvas, checkup = Canvas.of(options), self.checkup
        versions = ", ".join(f"{name} {version}" for name, version in checkup.versions.items())
        simd = f"; NumPy uses {', '.join(checkup.simd)}" if checkup.simd else ""
        workers = "1 worker process" if checkup.workers == 1 else f"{checkup.workers} workers"
        facts = {
            "versions": versions,
            "platform": checkup.platform,
            "BLAS": f"{checkup.blas or 'unknown'}{simd}",
            "speed": f"{significant(checkup.gflops, 3)} GFLOP/s, float32 product on one core",
            "cores": f"{checkup.cores}; a training uses {workers}",
        }
        for place in checkup.places:
            facts[place.purpose] = f"{place.path}: {place.state}"
        for name, fact in facts.items():
            yield paragraph(fact, canvas, label=f"{name:{LABEL_COLUMNS}}")
        yield Text()
        for slowdown in checkup.slowdowns:
            yield paragraph(slowdown, canvas, label=f"{'slow':{LABEL_COLUMNS}}")
        if not checkup.slowdowns:
            yield Text("Nothing slows NumPy down.", style="bold")
