"""The pickle in a file of `torch.save`, interpreted and never executed.

A pickle is a program for a stack machine. Python's unpickler imports and calls whatever that
program names, so that loading a file can run any code. This module reads the program with
`pickletools.genops`, which only splits it into opcodes, and follows a closed set of them. The names
in it are looked up in `NAMES`, never imported; any other name is refused. The results are plain
values and descriptions of tensors.

Nothing that grows is ever copied, hashed or printed, so that a program of n opcodes costs n steps:
a tuple that holds the one before it twice, fifty times over, is fifty small tuples.
"""

import pickletools
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from actcli.config.values import quoted
from actcli.errors import DataError
from actcli.formats.signatures import SAVE_STATE_DICT
from actcli.formats.torch_values import MAX_COUNT, NAMES, STORAGES, Name, Storage, whole_number

STATE_KEYS = ("state_dict", "model_state_dict", "model")  # under which a checkpoint has the weights

MAX_OPCODES = 500_000  # a tensor of a state dict takes about 35
MAX_REASON = 120  # characters of a damage in a message


def interpret(program: bytes, path: Path) -> Any:
    """Return the value that a pickle describes: plain values, and tensors as `StridedTensor`.

    Args:
        program: the pickle.
        path: the path of the file, for messages.

    Raises:
        DataError: the pickle is damaged, too long, or names something else than tensors need.
    """
    machine = Machine(path)
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of texts of protocol 0, which are split before they are refused.
            warnings.simplefilter("ignore", DeprecationWarning)
            machine.run(program)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        reason = str(error)[:MAX_REASON]
        raise DataError(f"{path} is damaged: its pickle cannot be followed: {reason}") from None
    return machine.result


class Machine:
    """The stack machine of a pickle.

    Args:
        path: the path of the file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack: list[Any] = []
        self.marked: list[list[Any]] = []  # the stacks below each mark
        self.memo: dict[int, Any] = {}
        self.result: Any = None

    def run(self, program: bytes) -> None:
        """Follow a pickle, and keep its value as the result."""
        for count, (opcode, argument, _) in enumerate(pickletools.genops(program)):
            if count >= MAX_OPCODES:
                self.refuse(f"has more than {MAX_OPCODES:,} opcodes")
            if opcode.name not in OPCODES:
                self.refuse(f"has the opcode {opcode.name}, which tensors do not need")
            OPCODES[opcode.name](self, argument)

    def refuse(self, reason: str) -> NoReturn:
        """Raise the error of a pickle that is not that of tensors."""
        raise DataError(f"{self.path}: its pickle {reason}", "Only tensors are read")

    def since_mark(self) -> list[Any]:
        """Remove the items above the last mark, and return them."""
        items, self.stack = self.stack, self.marked.pop()
        return items

    def top(self, kind: type) -> Any:
        """Return the top of the stack, which must be of that type."""
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"no {kind.__name__} where one is needed")
        return self.stack[-1]

    def set_items(self, items: list[Any]) -> None:
        """Add keys and values, in turn, to the dictionary at the top of the stack."""
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in {str, int, float, bool, bytes, type(None)}:
                raise ValueError(f"a key that is a {type(key).__name__}")
            target[key] = value

    def name(self, module: Any, name: Any) -> None:
        """Push a global name.

        Raises:
            DataError: it is not one of `NAMES`.
        """
        if type(module) is not str or type(name) is not str:
            raise ValueError("a global name that is not a text")
        known = Name(module, name)
        if str(known) not in NAMES and str(known) not in STORAGES:
            self.refuse_name(known)
        self.stack.append(known)

    def refuse_name(self, name: Name) -> NoReturn:
        """Raise the error of a name that tensors do not need.

        A class of PyTorch or of the user's own is a module that was saved whole, or stands beside
        the weights in a checkpoint. The advice to load the file is not given for a name of Python's
        own library: such a file may be an attack.
        """
        shown = quoted(str(name))
        if name.module.partition(".")[0] in sys.stdlib_module_names:
            raise DataError(
                f"{self.path} names {shown}, which tensors do not need: loading it could run code",
                f"Nothing was run. Ask for tensors alone: {SAVE_STATE_DICT}",
            )
        raise DataError(
            f"{self.path} holds more than tensors: {shown}, which is not read without running code",
            "If you trust the file, save its weights anew:\n"
            f"  saved = torch.load({self.path.name!a}, weights_only=False)\n"
            f"  torch.save({self.weights_expression()}, {f'{self.path.stem}-weights.pt'!a})",
        )

    def weights_expression(self) -> str:
        """Return the Python expression of the weights in the value that is being read."""
        levels = [*self.marked, self.stack]
        if not levels[0] or type(levels[0][0]) is not dict:
            return "saved.state_dict()"
        texts = [item for level in levels[1:2] for item in level if type(item) is str]
        key = next((text for text in texts if text in STATE_KEYS), STATE_KEYS[0])
        is_module = len(levels) == 2 and texts[-1:] == [key]  # the name is the value of the key
        return f"saved[{key!r}]{'.state_dict()' * is_module}"

    def reduce(self) -> None:
        """Replace a name and its arguments by the value that `NAMES` gives for them."""
        arguments = self.top(tuple)
        self.stack.pop()
        name = self.top(Name)
        if str(name) not in NAMES:
            raise ValueError(f"{name} is called")
        self.stack[-1] = NAMES[str(name)](*arguments)

    def build(self) -> None:
        """Pass over attributes, which a state dict has for its version."""
        self.stack.pop()
        self.top(dict)

    def storage(self) -> None:
        """Replace a persistent identifier by the storage that it stands for."""
        kind, dtype, key, _, count = self.top(tuple)
        if kind != "storage" or type(dtype) is not Name or type(key) is not str:
            raise ValueError("a persistent identifier that is not a storage")
        self.stack[-1] = Storage(STORAGES[str(dtype)], key, whole_number(count))

    def stop(self) -> None:
        """Keep the value at the top of the stack as the result."""
        (self.result,) = self.stack
        if self.marked:
            raise ValueError("a mark is left")


def _push(value: Callable[[], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value())


def _push_argument(machine: Machine, argument: Any) -> None:
    if type(argument) is int and abs(argument) > MAX_COUNT:
        raise ValueError("a whole number of more than 64 bits")
    machine.stack.append(argument)


def _mark(machine: Machine, _: Any) -> None:
    machine.marked.append(machine.stack)
    machine.stack = []


def _push_tuple(machine: Machine, _: Any) -> None:
    items = machine.since_mark()
    machine.stack.append(tuple(items))


def _push_short_tuple(count: int) -> Callable[[Machine, Any], None]:
    def push(machine: Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise ValueError("too few items for a tuple")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return push


def _append(machine: Machine, _: Any) -> None:
    item = machine.stack.pop()
    machine.top(list).append(item)


def _append_all(machine: Machine, _: Any) -> None:
    items = machine.since_mark()
    machine.top(list).extend(items)


def _set_item(machine: Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _set_items(machine: Machine, _: Any) -> None:
    machine.set_items(machine.since_mark())


def _put(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _memoize(machine: Machine, _: Any) -> None:
    machine.memo[len(machine.memo)] = machine.stack[-1]


def _get(machine: Machine, index: int) -> None:
    machine.stack.append(machine.memo[index])


def _global(machine: Machine, argument: str) -> None:
    machine.name(*argument.split(" ", 1))


def _stack_global(machine: Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.name(module, name)


def _do_nothing(_machine: Machine, _argument: Any) -> None:
    pass


# The opcodes that are followed. Sets become lists, whose items need no hash.
OPCODES: Mapping[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), _do_nothing),
    **dict.fromkeys(
        (
            *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
            *("SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
            *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        ),
        _push_argument,
    ),
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "EMPTY_TUPLE": _push(tuple),
    "EMPTY_LIST": _push(list),
    "EMPTY_DICT": _push(dict),
    "EMPTY_SET": _push(list),
    "MARK": _mark,
    "TUPLE": _push_tuple,
    "TUPLE1": _push_short_tuple(1),
    "TUPLE2": _push_short_tuple(2),
    "TUPLE3": _push_short_tuple(3),
    "APPEND": _append,
    "APPENDS": _append_all,
    "ADDITEMS": _append_all,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "MEMOIZE": _memoize,
    "BINGET": _get,
    "LONG_BINGET": _get,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "BINPERSID": lambda machine, _: machine.storage(),
    "REDUCE": lambda machine, _: machine.reduce(),
    "BUILD": lambda machine, _: machine.build(),
    "STOP": lambda machine, _: machine.stop(),
}
