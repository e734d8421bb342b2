"""The live view of `actcli train`: what a terminal shows of it, at any size, and of how it ends.

The terminals are pseudo-terminals, and an emulator (pyte) says what is on their screen.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pyte
import pytest
from click.testing import CliRunner
from epochs import make_epoch, make_health
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from actcli.cli import main
from actcli.diagnostics.health import layer_health
from actcli.render.live import LiveBlock, Moment
from actcli.render.train import EpochTable
from actcli.term.canvas import Canvas
from actcli.term.numbers import significant
from actcli.term.sparklines import Thinning
from actcli.training.events import EpochDone, Score

Blobs = Callable[..., Path]
ROOT = Path(__file__).parents[2]
SMALL = ("--hidden", "16", "--epochs", "2", "--batch-size", "32")
LONG = ("--batch-size", "8", "--epochs", "20")  # so long that it is interrupted
PROGRESS = re.compile(r"epoch +(\d+)/\d+  \S+ +\d+ %")
DRAWN = re.compile(r"\x1b\[\?7h\r(\x1b\[\d+A)?\Z")  # the end of a drawing
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|38|9[0-7])[0-9;]*m")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Terminal:
    """A training whose stderr is a terminal, and which that terminal controls."""

    def __init__(self, columns: int, lines: int, *args: str, **env: str) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=10_000)
        self.written = ""
        self._stream = pyte.ByteStream(self.screen)
        self._ours, theirs = pty.openpty()
        self._tell_size(theirs)
        inherited = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        # The first terminal that the leader of a session opens controls it: Ctrl-C is a signal.
        opening = ["sh", "-c", 'exec "$@" <"$0" 2>"$0"', os.ttyname(theirs)]
        self.process = subprocess.Popen(
            [*opening, sys.executable, "-W", "error", "-m", "actcli", "train", *args],
            env={**inherited, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._read()  # so that the process has opened it
        os.close(theirs)

    def close(self) -> None:
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.close(self._ours)

    def _tell_size(self, fd: int) -> None:
        size = struct.pack("HHHH", self.screen.lines, self.screen.columns, 0, 0)
        fcntl.ioctl(fd, termios.TIOCSWINSZ, size)

    def resize(self, columns: int, lines: int) -> None:
        # As terminals do, and pyte does not: the cursor stays in its line, what is lowest goes.
        at = self.screen.cursor.y
        gone = max(0, at - lines + 1)
        kept = [dict(self.screen.buffer[gone + y]) for y in range(min(lines, self.screen.lines))]
        self.screen.resize(lines, columns)
        for y, line in enumerate(kept):
            self.screen.buffer[y].clear()
            self.screen.buffer[y].update({x: line[x] for x in line if x < columns})
        self.screen.cursor.y = at - gone
        self._tell_size(self._ours)

    def type(self, key: bytes) -> None:
        os.write(self._ours, key)

    def until(self, holds: Callable[["Terminal"], object]) -> None:
        """Take in what is written until a drawing is as it should be, or fail."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            if holds(self) and (self.has_cursor or DRAWN.search(self.written)):
                return
            if not self._read():
                break
        assert holds(self), "\n".join(self.screen.display)

    def end(self) -> tuple[str, int]:
        """Take in the rest: stdout and the exit code."""
        assert self.process.stdout is not None
        while self._read():
            pass
        result = self.process.stdout.read().decode()
        return result, self.process.wait(20)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 0.5)[0]:
            return True
        try:
            part = os.read(self._ours, 65536)
        except OSError:  # nobody has the other end any more
            return False
        self.written += part.decode()
        self._stream.feed(part)
        return bool(part)

    @property
    def lines(self) -> list[str]:
        """All that is on the screen, or has gone over its upper edge."""
        gone = [
            "".join(line[x].data for x in range(self.screen.columns))
            for line in self.screen.history.top
        ]
        return (
            "\n".join(line.rstrip() for line in [*gone, *self.screen.display]).strip().split("\n")
        )

    @property
    def progress(self) -> list[str]:
        return [line for line in self.screen.display if PROGRESS.match(line)]

    @property
    def has_cursor(self) -> bool:
        return not self.screen.cursor.hidden


@contextmanager
def terminal(columns: int, lines: int, *args: str, **env: str) -> Iterator[Terminal]:
    opened = Terminal(columns, lines, *args, **env)
    try:
        yield opened
    finally:
        opened.close()


def in_epoch(number: int) -> Callable[[Terminal], object]:
    """Whether this epoch, or one after it, is being trained."""
    return lambda shown: any(int(line.split("/")[0][5:]) >= number for line in shown.progress)


# As it goes ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_view_while_the_training_goes_on_and_at_its_end(columns: int) -> None:
    with terminal(columns, 30, "--hidden", "64,32", *LONG) as shown:
        shown.until(in_epoch(3))
        assert not shown.has_cursor
        parts = "\n".join(shown.lines).split("\n\n")
        table, course, layers, progress = (part.split("\n") for part in parts)
        trained = len(table) - 2
        assert "─ validation ─" in table[0]
        rows = [f"{n}/20" for n in range(1, trained + 1)]
        assert [row.split()[0] for row in table[1:]] == ["epoch", *rows]
        assert len({len(row) for row in table[1:]}) == 1
        assert ("rows/s" in table[1]) == (columns >= 80)
        assert ("─ training ─" in table[0]) == (columns >= 60)
        assert [line.split()[0] for line in course[1:]] == ["training", "validation"]
        line = rf"\d  [▁-█]{{{trained}}} .* %  [▁-█]{{{trained}}}$"
        assert all(re.search(line, text) for text in course[1:])
        assert [line.split()[0] for line in layers] == ["layer", "1", "2", "output"]
        assert all(line.endswith(" %") for line in layers[1:3])
        assert ("█" in layers[3]) == (columns >= 60)
        assert PROGRESS.match(progress[0])
        assert ("rows/s" in progress[0]) == (columns >= 60)
        assert max(map(cell_len, shown.lines)) <= columns


@pytest.mark.slow
def test_at_the_end_all_stays_but_the_progress() -> None:
    with terminal(80, 24, "--hidden", "64", "--epochs", "2") as shown:
        result, code = shown.end()
        assert code == 0
        assert shown.has_cursor
        table, course, layers = (part.split("\n") for part in "\n".join(shown.lines).split("\n\n"))
        assert [row.split()[0] for row in table[1:]] == ["epoch", "1/2", "2/2"]
        assert all(re.search(r"\d  [▁-█]{2} .* %  [▁-█]{2}$", line) for line in course[1:])
        assert [line.split()[0] for line in layers] == ["layer", "1", "output"]
        assert "\x1b" not in result
        assert result.splitlines()[3].startswith("test ")


@pytest.mark.slow
def test_a_low_terminal_has_the_progress_alone_below_the_rows() -> None:
    with terminal(80, 10, "--hidden", "32", *LONG) as shown:
        shown.until(in_epoch(3))
        names = [line.split()[0] for line in shown.lines[1:]]
        assert names[:3] == ["epoch", "1/20", "2/20"]
        assert names[-1] == "epoch"
        shown.type(b"\x03")
        assert shown.end()[1] == 130
        names = [line.split()[0] for line in shown.lines if line]
        assert names[2:4] == ["1/20", "2/20"]
        assert not {"epoch", "layer", "training"} & set(names[2:])


@pytest.mark.slow
def test_the_layers_stay_longer_than_the_course_in_a_low_terminal() -> None:
    health = layer_health(make_health([0.5] * 9, [0] * 8), [4] * 8 + [3])
    found = {}
    for height in range(2, 16):
        lines = [
            line.plain.split()[:1]
            for line in LiveBlock(9, Canvas(68), height, 500).state(history(3), health)
        ]
        found[height] = ["validation"] in lines, ["layer"] in lines
    assert {height for height, (course, _) in found.items() if course} == {6, *range(11, 16)}
    assert {height for height, (_, layers) in found.items() if layers} == set(range(7, 16))


@pytest.mark.slow
def test_many_layers_do_not_outgrow_the_height() -> None:
    hidden = ",".join(["8"] * 20)
    with terminal(80, 24, "--hidden", hidden, *LONG, "--activation", "tanh") as shown:
        shown.until(in_epoch(3))
        display = [line.rstrip() for line in shown.screen.display]
        assert not shown.screen.history.top
        at = next(n for n, line in enumerate(display) if line.startswith("layer"))
        names = [line.split()[0] for line in display[at + 1 : display.index("", at)]]
        assert names == ["1", "2", "3", "4", "…", "19", "20", "output"]
        assert re.match(
            r"… 5 to 18: factor \d\.\d{3} to \d\.\d{3}, silent [\d.]+ %", display[at + 5]
        )
        assert len(shown.progress) == 1


@pytest.mark.slow
def test_of_many_epochs_some_have_a_row_and_it_is_drawn_ten_times_a_second(blobs: Blobs) -> None:
    chosen = "--dataset", str(blobs(rows=30)), "--hidden", "2", "--epochs", "1203"
    begun = time.monotonic()
    with terminal(80, 40, *chosen) as shown:
        result, code = shown.end()
        seconds = time.monotonic() - begun
        assert code == 0
        assert "epochs      1,203" in result
        rows = [line.split()[0] for line in shown.lines if re.match(r" *\d+/1203 ", line)]
        assert rows == [f"{n}/1203" for n in (1, *range(100, 1201, 100), 1203)]
        course = next(line for line in shown.lines if line.startswith("training"))
        assert len(course.split()[2]) == 23  # all epochs, compressed
        assert shown.written.count("\x1b[?7l") <= 10 * seconds
        assert len(shown.written) < 2000 * 10 * seconds


def test_no_epoch_shows_nothing(blobs: Blobs) -> None:
    with terminal(80, 24, "--dataset", str(blobs()), "--epochs", "0") as shown:
        result, code = shown.end()
        assert (shown.written, code) == ("", 0)
        assert "epochs      0" in result


def test_a_run_that_goes_on_shows_the_epochs_it_has(blobs: Blobs) -> None:
    chosen = *SMALL, "--dataset", str(blobs()), "--schedule", "constant", "-q"
    done = CliRunner().invoke(main, ["train", *chosen])
    assert done.exit_code == 0
    losses = [
        json.loads(line)["train"]["loss"]
        for line in Path("runs/default/metrics.jsonl").read_text().splitlines()
    ]
    with terminal(80, 24, "--resume", "default", "--epochs", "7") as shown:
        assert shown.end()[1] == 0
        assert shown.lines[0] == "Resuming runs/default after epoch 2 of 7"
        assert [line.split()[0] for line in shown.lines[3:8]] == [f"{n}/7" for n in range(3, 8)]
        at = next(n for n, line in enumerate(shown.lines) if line.startswith("training"))
        assert len(shown.lines[at].split()[2]) == 7
        assert f"loss  0 to {significant(max(losses), 3)}" in shown.lines[at - 1]


# A window that changes -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_window_that_is_made_narrower_lower_wider_and_higher() -> None:
    with terminal(100, 30, "--hidden", "32", *LONG) as shown:
        shown.until(in_epoch(3))
        for columns, lines in ((50, 30), (70, 10), (120, 40), (40, 24)):
            shown.resize(columns, lines)
            before = shown.written.count("\x1b[?7l")
            shown.until(lambda shown, before=before: shown.written.count("\x1b[?7l") > before + 2)
            assert len(shown.progress) == 1
            below = [line.split() for line in shown.screen.display]
            assert sum(line[:1] == ["layer"] for line in below) == (lines > 10)
            assert sum(line[:1] == ["validation"] for line in below) == (lines > 10)
        shown.type(b"\x03")
        assert shown.end()[1] == 130
        assert shown.has_cursor
        assert shown.progress == []
        headings = [line for line in shown.lines if line.lstrip().startswith("epoch  ")]
        assert all(first != second for first, second in pairwise(headings))


# How it ends -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 3])
def test_ctrl_c_leaves_the_screen_in_order(epoch: int) -> None:
    with terminal(100, 24, "--hidden", "64", *LONG) as shown:
        shown.until(in_epoch(epoch))
        shown.type(b"\x03")
        result, code = shown.end()
        assert (result, code) == ("", 130)
        assert shown.has_cursor
        parts = "\n".join(shown.lines).split("\n\n")
        assert len(parts) == (1 if epoch == 1 else 4)
        assert parts[-1].startswith("interrupted after ")
        assert "^C" not in "\n".join(shown.lines)
        assert shown.progress == []


@pytest.mark.slow
def test_ctrl_z_gives_the_screen_back_and_takes_it_again() -> None:
    with terminal(100, 24, "--hidden", "64", *LONG) as shown:
        shown.until(in_epoch(2))
        shown.type(b"\x1a")
        shown.until(lambda shown: shown.has_cursor)
        stopped = os.waitid(os.P_PID, shown.process.pid, os.WSTOPPED | os.WNOWAIT)
        assert stopped is not None
        assert stopped.si_status == signal.SIGSTOP
        assert (shown.progress, "^Z" in "\n".join(shown.lines)) == ([], False)
        shown.process.send_signal(signal.SIGCONT)
        shown.until(in_epoch(3))
        assert not shown.has_cursor
        shown.process.send_signal(signal.SIGTERM)
        assert shown.end()[1] == 143
        assert "\n".join(shown.lines).split("\n\n")[-1].startswith("terminated after ")


def test_divergence_is_told_below_what_was_shown(blobs: Blobs) -> None:
    chosen = *SMALL, "--dataset", str(blobs()), "--lr", "1e30", "--epochs", "90"
    with terminal(100, 24, *chosen) as shown:
        assert shown.end()[1] == 1
        assert shown.has_cursor
        assert any(line.startswith("Error: the loss stopped being finite") for line in shown.lines)
        assert shown.progress == []


# Terminals that can do less --------------------------------------------------------------------


def test_a_dumb_terminal_gets_lines(blobs: Blobs) -> None:
    with terminal(80, 24, *SMALL, "--dataset", str(blobs()), TERM="dumb") as shown:
        assert shown.end()[1] == 0
        assert "\x1b" not in shown.written
        lines = shown.written.splitlines()
        assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


@pytest.mark.slow
def test_no_color_keeps_the_view_without_colours() -> None:
    with terminal(80, 24, "--hidden", "64", "--epochs", "2", NO_COLOR="1") as shown:
        assert shown.end()[1] == 0
        assert "─ training ─" in shown.written
        assert "▁" in shown.written
        assert not COLOUR.search(shown.written)
    with terminal(80, 24, "--hidden", "64", "--epochs", "2") as shown:
        shown.end()
        assert COLOUR.search(shown.written)


@pytest.mark.slow
def test_a_stream_of_ascii_gets_ascii() -> None:
    chosen = "--hidden", "64", *LONG
    with terminal(80, 24, *chosen, PYTHONIOENCODING="ascii") as shown:
        shown.until(in_epoch(3))
        assert re.search(r"^training +\S+  [.:=+*#@-]+ ", "\n".join(shown.lines), re.MULTILINE)
        assert "delta norm" in "\n".join(shown.lines)
        assert re.match(r"epoch +\d+/20  #+-+ ", shown.progress[0])
        shown.type(b"\x03")
        assert shown.end()[1] == 130
        assert shown.written.isascii()


def test_quiet_in_a_terminal(blobs: Blobs) -> None:
    with terminal(80, 24, *SMALL, "--dataset", str(blobs()), "-q") as shown:
        result, code = shown.end()
        assert (shown.written, code) == ("", 0)
        assert "test " in result


# Parts of it -----------------------------------------------------------------------------------


def history(epochs: int) -> list[EpochDone]:
    return [make_epoch(n, 2 / n, 1 - 1 / n, (2.5 / n, 1 - 1 / n)) for n in range(1, epochs + 1)]


@given(
    st.integers(1, 130),
    st.integers(-5, 50),
    st.integers(0, 300),
    st.integers(1, 30),
    st.booleans(),
)
def test_no_line_is_wider_and_no_block_higher_than_there_is_room_for(
    width: int, height: int, epochs: int, layers: int, ascii_only: bool
) -> None:
    block = LiveBlock(1000, Canvas(width, ascii_only), height, 500)
    health = layer_health(
        make_health([0.3**n for n in range(layers)][::-1], [3] * (layers - 1)), [9] * layers
    )
    state = block.state(history(epochs), health)
    progress = block.progress(Moment(7, 0.25, 123456.7, 3723))
    lines = [line.plain for line in [*state, progress]]
    assert max(map(cell_len, lines)) <= width
    assert not state or len(state) + 2 <= height
    assert not ascii_only or "".join(lines).isascii()
    if width >= 68:
        assert progress.plain.endswith("  25 %  123,000 rows/s  1:02:03 left")
        if height >= 40 and epochs > 1:
            assert len(state) == 4 + layers + 2


def test_what_is_said_of_a_layer() -> None:
    health = layer_health(
        make_health([0.0, 0.0, 0.5, 0.1, 0.2, 0.21], [4, 4, 1, 0, 0]), [4] * 5 + [3]
    )
    lines = [line.plain for line in LiveBlock(9, Canvas(68), 30, 500).state(history(1), health)]
    told = {line.split()[0]: line.split() for line in lines[2:]}
    assert told["1"][1:] == ["0", "–", "many", "100.0", "%"]
    assert told["2"][2:5] == ["0.000", "is", "lost"]
    assert told["3"][2:4] == ["5.000", "grows"]
    assert told["4"][2:4] == ["0.500", "shrinks"]
    assert told["5"][2:3] == ["0.952"]
    assert told["2"][-3:] == ["many", "100.0", "%"]
    assert "many" not in told["3"]
    assert told["output"][1:3] == ["0.210", "–"]


def test_layers_in_one_line_stand_out_if_one_of_them_would() -> None:
    for silent, style in (0, "dim"), (3, "bold"):
        health = layer_health(make_health([0.5] * 9, [0, 0, 0, 0, silent, 0, 0, 0]), [4] * 8 + [3])
        state = LiveBlock(9, Canvas(68), 9, 500).state(history(1), health)
        assert [line.style for line in state if line.plain.startswith("…")] == [style]


@pytest.mark.parametrize("width", [58, 59, 79, 99])
@pytest.mark.parametrize("epochs", [2, 13, 90])
def test_sparklines_name_their_scales(width: int, epochs: int) -> None:
    heading = LiveBlock(epochs, Canvas(width), 30, 500).state(history(epochs))[1].plain
    assert heading.split("  ")[-1].endswith(" %")
    assert "0 to " in heading


def test_layers_that_were_not_examined_are_not_shown() -> None:
    assert layer_health(None, (3, 3)) == ()
    assert len(LiveBlock(9, Canvas(68), 30, 500).state(history(3))) == 4


@settings(deadline=None)
@given(st.integers(1, 2000), st.integers(2, 9))
def test_thinning_keeps_the_first_the_last_and_evenly_spaced_ones(count: int, most: int) -> None:
    thinning: Thinning[int] = Thinning(most)
    for number in range(count):
        thinning.add(number)
        kept = thinning.kept
        assert (kept[0], kept[-1]) == (0, number)
        assert len(kept) <= most + 1
        steps = {later - earlier for earlier, later in pairwise(kept[:-1])}
        assert len(steps) <= 1


@pytest.mark.parametrize(
    ("epochs", "every"), [(0, 1), (20, 1), (21, 2), (41, 5), (101, 10), (1200, 100), (10**6, 50000)]
)
def test_at_most_twenty_epochs_have_a_row(epochs: int, every: int) -> None:
    assert EpochTable(epochs, True, Canvas(80)).every == every


def test_rates_stand_with_their_points_below_each_other() -> None:
    score, table = Score(0.1234, 0.9876), EpochTable(5, True, Canvas(80))
    rates = 0.0249, 0.000984, 1.5, 0, 12.3, 4.68e-05, 1e-9, 123.4
    rows = [
        table.row(EpochDone(1, rate, score, score, 1.0, 5000.0, (), True)).plain for rate in rates
    ]
    assert len(set(map(len, rows))) == 1
    assert {row.index(".") for row in rows[:3]} == {rows[0].index(".")}
    assert [row.split()[1] for row in rows[3:]] == ["0", "12.3", "4.68e-05", "1.00e-09", "123"]


@pytest.mark.parametrize(
    ("width", "parts"), [(10_000, 5), (124, 5), (123, 3), (89, 3), (88, 2), (59, 2), (10, 2)]
)
def test_what_a_sentence_leaves_out_where_it_is_narrow(width: int, parts: int) -> None:
    score = Score(0.1234, 0.9876)
    table = EpochTable(5, True, Canvas(width))
    told = table.sentence(EpochDone(1, 0.1, score, score, 1.0, 5000.0, (), True)).plain
    assert len(told.split("  ")) == parts
    assert len(told) <= max(width, 52)


@pytest.mark.parametrize(
    ("width", "names"),
    [
        (68, ["epoch", "rate", "loss", "accuracy", "loss", "accuracy", "rows/s"]),
        (47, ["epoch", "loss", "accuracy", "loss", "accuracy"]),
        (37, ["epoch", "loss", "loss", "accuracy"]),
        (27, ["epoch", "loss", "accuracy"]),
        (1, ["epoch", "loss", "accuracy"]),
    ],
)
def test_what_a_row_leaves_out_where_it_is_narrow(width: int, names: list[str]) -> None:
    score = Score(0.1234, 0.9876)
    epoch = EpochDone(1, 0.1, score, score, 1.0, 5000.0, (), True)
    for narrower in (width, width + 1):
        table = EpochTable(5, True, Canvas(narrower))
        headings = table.headings().plain.split("\n")
        assert headings[1].split() == names
        assert len(headings[0].rstrip()) <= len(headings[1]) == len(table.row(epoch).plain)
    assert len(headings[1]) == max(width, 27)
