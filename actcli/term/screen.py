"""A block of lines at the bottom of a terminal that is drawn anew in its place.

Between two drawings the cursor, hidden, waits where the block begins. So nobody has to count lines
to come back there, and a change of the window's size, after which the terminal may have broken
lines in two or not, leaves nothing torn: all that is below the cursor is the block.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.text import Text

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
# What does not fit is cut: a terminal may be narrower already than the process has been told.
CUT, WRAP = "\x1b[?7l", "\x1b[?7h"
ERASE_LINE, ERASE_BELOW = "\x1b[K", "\x1b[J"
# Not from the first column: in the first line that would be the whole screen, of which some
# terminals keep a copy.
ERASE_BLOCK = f"\r{ERASE_LINE}\x1b[C{ERASE_BELOW}\r"


class Block:
    """Lines that stay, and below them those that are drawn anew. Each line must fit the width."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._hidden = False  # the cursor

    def written(self, lines: Sequence[Text]) -> list[str]:
        """Lines with their styles as escape codes: to find these takes longest, so do it once."""
        return [self._written(line) for line in lines]

    def draw(self, above: Sequence[str], block: Sequence[str], afresh: bool = False) -> None:
        """Print lines for good, and below them the block instead of the one before.

        Args:
            above: lines that stay.
            block: fewer than the terminal has; none of them fills its width.
            afresh: first erase all, as what the terminal has made of it is not known.
        """
        begin = ("" if self._hidden else HIDE) + (ERASE_BLOCK if afresh else "\r")
        *others, last = block
        lines = _ended(others) + ERASE_LINE + last + ERASE_BELOW
        back = f"\r\x1b[{len(others)}A" if others else "\r"
        self._hidden = True
        self._write(begin + _ended(above) + CUT + lines + WRAP + back)

    def settle(self, lines: Sequence[str] = ()) -> None:
        """Print lines for good in place of the block, and show the cursor again."""
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
    """Within `with`, Ctrl-Z and a change of the window's size are noted, to be looked at later."""

    def __init__(self) -> None:
        self.stopped = False
        self.resized = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for each in (signal.SIGTSTP, signal.SIGWINCH):
            self._before[each] = signal.getsignal(each)
            if self._before[each] == signal.SIG_DFL:  # without job control Ctrl-Z is ignored
                signal.signal(each, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def stand_still(self) -> None:
        """Until the shell lets the process go on."""
        self.stopped = False
        os.kill(os.getpid(), signal.SIGSTOP)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.stopped |= number == signal.SIGTSTP
        self.resized |= number == signal.SIGWINCH
