"""A block of lines at the bottom of a terminal that is redrawn in place.

Between two drawings, the hidden cursor stays at the start of the block. Erasing the block therefore
needs no count of lines: everything below the cursor belongs to it. This holds even after a window
is resized, when the terminal may have wrapped some lines.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.text import Text

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
# Long lines are cut: the window may be narrower than the last size that the process has read.
CUT, WRAP = "\x1b[?7l", "\x1b[?7h"
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
# Erasing starts at the second column. At the first column of the first line, it would erase the
# whole screen, and some terminals then copy the screen to their history.
ERASE_BLOCK = f"\r{ERASE_LINE}\x1b[C{ERASE_BELOW}\r"


class Block:
    """A redrawn block of lines below permanent lines. Each line must fit the width."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._hidden = False  # whether the cursor is hidden

    def written(self, lines: Sequence[Text]) -> list[str]:
        """Return lines with styles as escape codes; this is slow, so do it once for each line."""
        return [self._written(line) for line in lines]

    def rendered(self, view: RenderableType, size: tuple[int, int]) -> list[str]:
        """Return the lines of a view, with styles as escape codes.

        Args:
            view: made anew for each drawing.
            size: columns and rows of the terminal.
        """
        width, height = size
        # Terminals differ in how a line that fills their last column affects the next line.
        with self._console.capture() as captured:
            self._console.print(view, width=max(1, width - 1), height=height)
        return captured.get().splitlines()

    def draw(self, above: Sequence[str], block: Sequence[str], afresh: bool = False) -> None:
        """Print permanent lines in place of the block, and a new block below them.

        Args:
            above: permanent lines.
            block: fewer lines than the terminal has, each shorter than its width.
            afresh: whether to erase the block first, because the terminal may have wrapped it.
        """
        begin = ("" if self._hidden else HIDE) + (ERASE_BLOCK if afresh else "\r")
        *upper, last = block
        lines = _ended(upper) + ERASE_LINE + last + ERASE_BELOW
        back = f"\r\x1b[{len(upper)}A" if upper else "\r"
        self._hidden = True
        self._write(begin + _ended(above) + CUT + lines + WRAP + back)

    def settle(self, lines: Sequence[str] = ()) -> None:
        """Print permanent lines in place of the block, and show the cursor again."""
        if self._hidden:
            self._write(ERASE_BLOCK + _ended(lines) + SHOW)
        else:
            self._write(_ended(lines))
        self._hidden = False

    def _written(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="", soft_wrap=True)
        return captured.get()

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


def _ended(lines: Sequence[str]) -> str:
    return "".join(f"{ERASE_LINE}{line}\r\n" for line in lines)


class Signals:
    """A context manager that records Ctrl-Z and changes of the window's size for later."""

    def __init__(self) -> None:
        self.stopped = False
        self.resized = False
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTSTP, signal.SIGWINCH):
            self._handlers[number] = signal.getsignal(number)
            if self._handlers[number] == signal.SIG_DFL:  # without job control, Ctrl-Z is ignored
                signal.signal(number, self._record)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def stand_still(self) -> None:
        """Suspend the process until the shell resumes it."""
        self.stopped = False
        os.kill(os.getpid(), signal.SIGSTOP)

    def _record(self, number: int, _frame: FrameType | None) -> None:
        self.stopped |= number == signal.SIGTSTP
        self.resized |= number == signal.SIGWINCH
