"""Archives as `torch.save` writes them, made by hand: with any pickle and storages, and attacks."""

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def archive(
    path: Path,
    program: bytes,
    storages: Mapping[str, bytes] | None = None,
    byte_order: bytes = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Write an archive with that pickle."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/byteorder", byte_order)
        for key, content in (storages or {}).items():
            file.writestr(f"archive/data/{key}", content)
        file.writestr("archive/version", b"3\n")
    return path


# Pieces of programs in protocol 2 and later ---------------------------------------------------


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def whole(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(content)) + content


def items(*parts: bytes) -> bytes:
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def named(name: str) -> bytes:
    """The global name "module name"."""
    return b"c" + name.replace(" ", "\n").encode() + b"\n"


def call(name: str, *arguments: bytes) -> bytes:
    return named(name) + items(*arguments) + b"R"


def storage(kind: str = "torch FloatStorage", key: str = "0", count: int = 6) -> bytes:
    parts = text("storage"), named(kind), text(key), text("cpu"), whole(count)
    return items(*parts) + b"Q"


def tensor(shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1), offset: int = 0,
           of: bytes = b"", hooks: bytes = b"N") -> bytes:  # fmt: skip
    sizes = items(*map(whole, shape)), items(*map(whole, strides))
    arguments = of or storage(), whole(offset), *sizes, b"\x89", hooks
    return call("torch._utils _rebuild_tensor_v2", *arguments)


def state(*pairs: tuple[str, bytes]) -> bytes:
    """A dictionary of texts and values, left on the stack."""
    return b"}(" + b"".join(text(name) + value for name, value in pairs) + b"u"


def program(*parts: bytes, protocol: int = 2) -> bytes:
    return b"\x80" + bytes([protocol]) + b"".join(parts) + b"."


def good(value: bytes | None = None) -> bytes:
    """The program of a state dict with one tensor, or with that one."""
    return program(state(("weight", value or tensor())))


# Attacks --------------------------------------------------------------------------------------


class Reduced:
    """An object whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def attacks(flag: Path) -> dict[str, bytes]:
    """Return programs that would create the file `flag`, hang, or fill the memory.

    The names of those that Python's own unpickler carries out, without PyTorch, start with "run".
    """
    command = text(f"touch '{flag}'")
    source = f"__import__('pathlib').Path({str(flag)!r}).touch()"
    run = call("os system", command)
    lone = {
        "run: os.system": run,
        "run: posix.system": call("posix system", command),
        "run: eval": call("builtins eval", text(source)),
        "run: exec": call("builtins exec", text(source)),
        "open": call("builtins open", text(str(flag)), text("w")),
        "run: import": call("builtins getattr", call("builtins __import__", text("os")),
                            text("system")) + items(command) + b"R",
        "run: subprocess": call("subprocess getoutput", command),
        "run: partial": call("functools partial", named("os system"), command) + b")R",
        "run: attribute": b"\x8c\x02os\x8c\x06system\x93" + items(command) + b"R",
        "run: INST": b"(" + command + b"ios\nsystem\n",
        "run: OBJ": b"(" + named("os system") + command + b"o",
        "run: map": call("builtins list", call("builtins map", named("os system"),
                                               items(command))),
        "run: nested": call("collections OrderedDict", items(items(text("a"), run))),
        "run: state": b"ccollections\nOrderedDict\n)R}" + text("a") + run + b"sb",
        "run: memo": named("os system") + b"q\x00" + b"0h\x00" + items(command) + b"R",
        "run: key": b"}" + run + b"Ns",
        "run: list": b"](" + run + b"e",
        "run: set": b"\x8f(" + run + b"\x90",
        "run: thrown away": run + b"0N",
    }  # fmt: skip
    programs = {name: program(body, protocol=4) for name, body in lone.items()}
    programs["run: protocol 0"] = pickle.dumps(Reduced(eval, source), protocol=0)
    programs["run: protocol 5"] = pickle.dumps(Reduced(eval, source), protocol=5)
    hidden = {
        "in hooks": state(("weight", tensor(hooks=run))),
        "in a storage": state(("weight", tensor(of=items(text("storage"), run) + b"Q"))),
        "as a type of storage": state(("weight", tensor(of=storage("os system")))),
        "in another key": state(("epoch", run), ("model", state(("weight", tensor())))),
        "in the metadata": state(("weight", tensor())) + b"}" + text("_metadata") + run + b"sb",
        "in a parameter": state(("weight", call("torch._utils _rebuild_parameter", run))),
        "whole module": named("torch.nn.modules.container Sequential") + b")\x81}b",
        "class": named("__main__ Net") + b")\x81}" + text("a") + run + b"sb",
        "NEWOBJ_EX": named("pathlib Path") + items(command) + b"}\x92",
        "dotted name": b"\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93)R",
        "dotted module": call("torch._utils.os system", command),
        "dunder": call("torch._utils _rebuild_tensor_v2.__globals__.get", text("os")),
        "hub": call("torch.hub load", text("a/b"), text("c")),
        "nested load": call("torch load", text(str(flag))),
        "from a type": call("torch._tensor _rebuild_from_type_v2", named("os system"), b"N",
                            items(command), b"N"),
        "NumPy": call("numpy._core.multiarray _reconstruct", named("numpy ndarray"), items(b"K\0"),
                      b"C\x01b"),
        "extension": b"\x82\x01",
        "text identifier": b"Pstorage\n",
        "shape from code": state(("weight", tensor(shape=()) + b"0" + run)),
    }  # fmt: skip
    programs |= {name: program(body, protocol=4) for name, body in hidden.items()}
    return programs | bombs()


def bombs() -> dict[str, bytes]:
    """Return programs that would take a copier, a hasher or a printer for ever."""
    doubled = b")q\x00" + b"".join(
        b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(100)
    )
    listed = b"]q\x00" + b"".join(
        b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(100)
    )
    own = b"}q\x00" + text("state_dict") + b"h\x00s"
    bodies = {
        "memo bomb": doubled,
        "memo bomb of lists": listed,
        "memo bomb as a key": b"}" + doubled + b"Ns",
        "memo bomb in a state dict": b"}" + text("weight") + doubled + b"s",
        "memo bomb as a shape": state(("weight", call("torch._utils _rebuild_tensor_v2", storage(),
                                                      b"K\0", doubled, b")", b"\x89", b"N"))),
        "deep lists": b"]" * 20_000 + b"a" * 19_999,
        "deep tuples": b")" + b"\x85" * 20_000,
        "deep marks": b"(" * 20_000,
        "itself": own,
        "long number": state(("weight", tensor((10**5000,)))),
        "long key": b"}" + whole(10**5000) + b"Ns",
        "many memos": b"N" + b"".join(b"r" + struct.pack("<I", n) for n in range(10_000)),
        "far memo": b"Nr\xff\xff\xff\xff",
        "long text": b"\x8d" + struct.pack("<Q", 2**62) + b"a",
        "long frame": b"\x95" + struct.pack("<Q", 2**63) + b"N",
        "long list": b"]" + b"(" + b"N" * 10_000 + b"e",
    }  # fmt: skip
    return {name: program(body, protocol=4) for name, body in bodies.items()}
