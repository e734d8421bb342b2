"""Ctrl-C and SIGTERM while something is worth saving: the first asks to stop, the second stops."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from actcli.cli import ExitStatus

STATUS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}
WORD = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interrupts:
    """Within `with`, the first signal is only noted, for whoever looks between two steps."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for each in STATUS:
            self._before[each] = signal.getsignal(each)
            if self._before[each] != signal.SIG_IGN:  # as nohup and a shell's background jobs have
                signal.signal(each, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self._before[signal.Signals(number)](number, frame)
        self.received = signal.Signals(number)
