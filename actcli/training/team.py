"""A team: threads that do their parts of one piece of work, and meet after each of its phases.

NumPy lets go of the interpreter while it computes, so that they do run at the same time. A thread
that waits for another sleeps, and leaves its core to whoever wants it. The threads of a BLAS keep
asking instead: 5 % faster on an idle machine, and five to twenty times slower on a busy one.
"""

import contextlib
import threading
import weakref
from collections.abc import Callable
from contextvars import Context, copy_context

Phase = Callable[[int], None]  # takes the number of the thread, from 0


class Team:
    """Threads that wait for work, until nobody refers to the team any more.

    Args:
        size: how many; the thread that calls `run` is the first, and may be the only one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._room = room = _Room(size)
        for number in range(1, size):
            threading.Thread(target=room.serve, args=(number,), daemon=True).start()
        weakref.finalize(self, room.close)

    def run(self, *phases: Phase) -> None:
        """Have each thread go through the phases; none begins one before all have done the last.

        Raises:
            Exception: the first that a phase has raised; phases that follow are left out.
        """
        if self.size == 1:
            for phase in phases:
                phase(0)
            return
        room = self._room
        room.phases, room.errors = phases, []
        # NumPy's errstate is part of a context, of which each thread needs its own.
        room.contexts = [copy_context() for _ in range(self.size)]
        room.meet(0)
        room.work(0)
        room.phases = ()  # what they refer to may end
        if room.errors:
            raise room.errors[0]


class _Room:
    """What the threads of a team share. It does not know the team, which can so be forgotten."""

    def __init__(self, size: int) -> None:
        self.phases: tuple[Phase, ...] = ()
        self.errors: list[Exception] = []
        self.contexts: list[Context] = []
        self.closed = False
        # A thread that arrives opens its gate to each of the others, and goes through theirs, which
        # close behind it. One may be back before another has gone through: hence two sets of gates,
        # in turn. It cannot be back twice, since the other has to arrive in between.
        self.gates = [[[threading.Lock() for _ in range(size)] for _ in range(size)] for _ in "ab"]
        for gate in (gate for gates in self.gates for row in gates for gate in row):
            gate.acquire()
        self.turns = [0] * size  # of each thread: which set is next
        self.others = [[other for other in range(size) if other != one] for one in range(size)]

    def meet(self, number: int) -> None:
        gates = self.gates[self.turns[number]]
        self.turns[number] = 1 - self.turns[number]
        for other in self.others[number]:
            gates[number][other].release()
        for other in self.others[number]:
            gates[other][number].acquire()

    def work(self, number: int) -> None:
        for phase in self.phases:
            if not self.errors:
                try:
                    phase(number)
                except Exception as error:  # raised again in the thread that called `run`
                    self.errors.append(error)
            self.meet(number)

    def serve(self, number: int) -> None:
        while True:
            self.meet(number)
            if self.closed:
                return
            self.contexts[number].run(self.work, number)

    def close(self) -> None:
        self.closed = True
        for other in self.others[0]:
            with contextlib.suppress(RuntimeError):  # open already: `run` was interrupted
                self.gates[self.turns[0]][0][other].release()
