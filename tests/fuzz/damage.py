"""Damage to a file: another type of file, other bytes, or other values in its JSON or TOML.

Each function takes a path and a random generator, changes the file, and returns a description.
"""

import json
import os
import random
import re
import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Damage = Callable[[Path, random.Random], str]

DEEP = 100_000  # levels of nesting
MARK = "@value@"

# Values in the text of a JSON file. Python's parser also takes NaN and Infinity.
ODD_JSON = [
    *("null", "true", "false", "0", "1", "-1", "0.5", "-0.0", "1.5", "1e308", "-1e308", "5e-324"),
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "-" + "9" * 400, "9" * 5000),
    *(str(2**31), str(2**63 - 1), str(2**63), str(2**64), "1" + "0" * 18, "3.4e38", "3.5e38"),
    *('""', '"text"', '"1"', '"NaN"', '"\\u0000"', '"\\ud800"', '"\\u001b[31m"', '"\\n\\n"'),
    *('"../../x"', '"/dev/zero"', '"mnist"', '"auto"', f'"{"x" * 100_000}"', '"\u202e\u0301é"'),
    *("[]", "{}", "[null]", "[[]]", "[1, 2, 3]", "[NaN, Infinity, -1]", '["a"]', '{"a": 1}'),
    *('{"loss": 1, "accuracy": 2}', '{"loss": -1e308, "accuracy": -1}', '{"loss": null}'),
    *("[" * depth + "]" * depth for depth in (40, 100, 300, 600, 900)),
    *("[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP, "[" + "1," * 9999),
    *("", "x", "'", "1 2", "1,", "0x10", "1_000", "+1", ".5", "01", "١"),
]
ODD_TOML = [
    *("true", "false", "0", "1", "-1", "0.5", "1e308", "5e-324", "nan", "inf", "-inf", "1e999"),
    *("9" * 400, "9" * 5000, str(2**63 - 1), str(2**63), "0x10", "1_000", "1000000000", "100000"),
    *('""', '"text"', '"auto"', '"\\u0000"', '"\\u001b[31m"', "'''\nx\n'''", f'"{"x" * 100_000}"'),
    *('"mnist"', '"/dev/zero"', '"../x"', '"relu"', '"sigmoid"', '"softmax"', '"mse"', '"adam"'),
    *("[]", "{}", "[1]", "[0]", "[[1]]", '["relu"]', '["0", "1"]', "[1e999]", "[4, 3, 2, 1]"),
    *(f"[{'9, ' * 20_000}9]", '["a", "b"]', "{ a = 1 }", "1979-05-27", "07:32:00", "[1, 'a']"),
    *(
        *("[" * depth + "]" * depth for depth in (40, 100, 300, 600, 900, DEEP)),
        "{a=" * 300 + "1" + "}" * 300,
        "",
        "x",
        "=",
        "1 2",
        '"',
        "\0",
        "\x1b",
    ),
]

# A training of a million epochs is no fault, but a fuzzer cannot wait for it.
FEW_EPOCHS = [
    text for text in ODD_TOML if text not in {"100000", "1000000000", "1_000", str(2**63 - 1)}
]


# Other types of file --------------------------------------------------------------------------


def clear(path: Path) -> None:
    """Remove whatever is at a path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def become_pipe(path: Path) -> None:
    os.mkfifo(path)


def become_folder_with_file(path: Path) -> None:
    path.mkdir()
    (path / "file").write_bytes(b"1")


def become_socket(path: Path) -> None:
    """Bind a socket by a relative path: an absolute one may be longer than a socket's name."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def become_unreadable(path: Path) -> None:
    path.write_bytes(b"{}")
    path.chmod(0)


def become_sparse(path: Path) -> None:
    """A file of 50 GB that needs no space on the disk."""
    with path.open("wb") as file:
        file.truncate(50_000_000_000)


TYPES: dict[str, Callable[[Path], None]] = {
    "missing": lambda _: None,
    "empty": lambda path: path.touch(),
    "a named pipe": become_pipe,
    "a folder": lambda path: path.mkdir(),
    "a folder with a file": become_folder_with_file,
    "a socket": become_socket,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/null": lambda path: path.symlink_to("/dev/null"),
    "a link to /dev/full": lambda path: path.symlink_to("/dev/full"),
    "a link to /proc/self/mem": lambda path: path.symlink_to("/proc/self/mem"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to its folder": lambda path: path.symlink_to("."),
    "unreadable": become_unreadable,
    "sparse": become_sparse,
}


def other_type(path: Path, rng: random.Random) -> str:
    name = rng.choice(list(TYPES))
    clear(path)
    TYPES[name](path)
    return name


# Other bytes ----------------------------------------------------------------------------------


def random_bytes(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice([1, 8, 100, 5000]))


def truncated(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 20])):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def inserted(content: bytes, rng: random.Random) -> bytes:
    odd = [b"\0", b"\xff\xfe", b"\xe9", b"\xed\xa0\x80", b"\x1b[31m", b"\xef\xbb\xbf", b"\n", b"\r"]
    odd += [b"\0" * 100_000, b"\n" * 100_000, b"[" * DEEP, b'{"a":' * DEEP, b"9" * 5000, b'"', b"}"]
    at = rng.choice([0, len(content), rng.randrange(len(content) + 1)])
    return content[:at] + rng.choice(odd) + content[at:]


def recoded(content: bytes, rng: random.Random) -> bytes:
    text = content.decode("latin-1")
    return rng.choice([b"\xef\xbb\xbf" + content, text.encode("utf-16"), text.encode("utf-32")])


def shuffled_lines(content: bytes, rng: random.Random) -> bytes:
    """Leave out, repeat or exchange lines."""
    lines = content.splitlines(keepends=True) or [b""]
    line = rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[line]
    elif kind == 1:
        lines[line] = lines[line] * rng.choice([2, 3, 1000])
    elif kind == 2:
        rng.shuffle(lines)
    else:
        lines.append(rng.choice([b"{}\n", b"[]\n", b"null\n", b"\n", b"1\n", b"x" * 3_000_000]))
    return b"".join(lines)


BYTES = [random_bytes, truncated, flipped, inserted, recoded, shuffled_lines]


def other_bytes(path: Path, rng: random.Random) -> str:
    change = rng.choice(BYTES)
    path.write_bytes(change(path.read_bytes(), rng))
    return change.__name__


# Other values ---------------------------------------------------------------------------------


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container of a JSON value, with each of its keys or indices."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def changed_json(text: str, rng: random.Random) -> str:
    """Return a JSON text in which a value is another one, is missing, or has another key."""
    record = json.loads(text)
    everywhere = list(places(record))
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        if not everywhere:
            break
        container, key = rng.choice(everywhere)
        kind = rng.randrange(10)
        if isinstance(container, list) and kind < 3:
            container[:] = rng.choice([container * 2, container[1:], [], [*container, 0]])
        elif isinstance(container, dict) and kind == 0:
            container.pop(key, None)
        elif isinstance(container, dict) and kind == 1:
            container[rng.choice(["", "x", "\0", "\x1b[31m", f"{key}x"])] = container.pop(key, 0)
        elif isinstance(container, dict) or key < len(container):
            container[key] = MARK
    text = json.dumps(record)
    while f'"{MARK}"' in text:
        text = text.replace(f'"{MARK}"', rng.choice(ODD_JSON), 1)
    return f'{text[:-1]}, "epoch": 1, "epoch": "x"}}' if rng.random() < 0.05 else text


def other_json(path: Path, rng: random.Random) -> str:
    """Change a value in the file, or in one of its lines if each is a JSON text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        lines = text.splitlines()
        if not lines:
            path.write_text(f"{rng.choice(ODD_JSON)}\n")
            return "a line"
        for index in range(len(lines)) if rng.random() < 0.2 else [rng.randrange(len(lines))]:
            lines[index] = changed_json(lines[index], rng)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return "a value of a line"
    whole = rng.random() < 0.1
    path.write_text(rng.choice(ODD_JSON) if whole else changed_json(text, rng), encoding="utf-8")
    return "another JSON text" if whole else "a value"


def other_toml(path: Path, rng: random.Random) -> str:
    """Change values, keys or tables of a TOML file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(lines))
        name, equals, _ = lines[at].partition(" = ")
        kind = rng.randrange(10)
        if kind == 0:
            lines[at] = ""
        elif kind == 1:
            lines[at] = rng.choice([f"{lines[at]}\n{lines[at]}", f"x{lines[at]}", f"{name}.a = 1"])
        elif equals:
            lines[at] = f"{name} = {rng.choice(FEW_EPOCHS if name == 'epochs' else ODD_TOML)}"
        else:
            lines[at] = rng.choice(
                ["[x]", "[[model]]", "[", "[training.x]", "x = 1", '["\\u001b"]']
            )
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return "a value"


def other_tensors(path: Path, rng: random.Random) -> str:
    """Change the header of a safetensors file, the description in it, or the numbers after it."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header, numbers = json.loads(content[8 : 8 + length]), content[8 + length :]
    kind = rng.choice(["description", "description", "header", "numbers"])
    if kind == "numbers":
        odd = struct.pack("<f", rng.choice([float("nan"), float("inf"), 3e38, -3e38, 1e-45, 0.0]))
        at = 4 * rng.randrange(len(numbers) // 4)
        numbers = rng.choice([numbers[:at] + odd + numbers[at + 4 :], odd * (len(numbers) // 4)])
        text = json.dumps(header)
    elif kind == "header":
        text = changed_json(json.dumps(header), rng)
    else:
        described = changed_json(header["__metadata__"]["actcli"], rng)
        header["__metadata__"]["actcli"] = with_checksum(path, described)
        text = json.dumps(header)
    head = text.encode("utf-8", "surrogatepass")
    path.write_bytes(struct.pack("<Q", len(head)) + head + numbers)
    return kind


def with_checksum(path: Path, text: str) -> str:
    """Return the record of a checkpoint with its right checksum; other texts are unchanged.

    A wrong checksum would hide the faults behind it.
    """
    from actcli.formats.safetensors import read_safetensors
    from actcli.store.checkpoint import _checksum

    try:
        record = json.loads(text)
        del record["checksum"]
        checksum = _checksum(read_safetensors(path)[0], record)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
    return re.sub(r'"checksum": \d+', f'"checksum": {checksum}', text)


VALUES: dict[str, Damage] = {
    ".json": other_json,
    ".jsonl": other_json,
    ".toml": other_toml,
    ".safetensors": other_tensors,
}


def damage(path: Path, rng: random.Random) -> str:
    """Damage a file, and return what was done."""
    kind = rng.random()
    if path.exists() and path.suffix in VALUES and kind < 0.7:
        return VALUES[path.suffix](path, rng)
    if path.exists() and kind < 0.85:
        return other_bytes(path, rng)
    return other_type(path, rng)
