"""Ctrl-C and SIGTERM during a training: the first asks it to save and stop, the second ends it."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from actcli.cli import ExitStatus

STATUS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}
WORD = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interrupts:
    """A context in which the first signal is only recorded in `received`.

    The training looks at `received` between two steps. The second signal has its usual effect.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in STATUS:
            self._before[number] = signal.getsignal(number)
            if self._before[number] != signal.SIG_IGN:  # nohup ignores signals
                signal.signal(number, self._record)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _record(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._before[signal.Signals(number)](number, frame)
        self.received = signal.Signals(number)
