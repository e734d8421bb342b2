"""Elements of HTML and SVG, made so that no value reaches a page unescaped.

`Markup` is text that is safe in a page. Only `element` and `join` make it, and both escape whatever
is not `Markup`: contents and the values of attributes.
"""

import functools
import re
from collections.abc import Iterable
from typing import TypeAlias

from actcli.term.text import escaped

NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
VOID = frozenset({"br", "col", "hr", "image", "img", "line", "meta", "path", "rect", "circle"})


class Markup(str):
    """A text that is valid HTML. Its parts were escaped when it was made."""

    __slots__ = ()


Content: TypeAlias = "str | int | float | Iterable[Content] | None"
Value = str | int | float | bool | None


def join(*contents: Content) -> Markup:
    """Return contents one after the other; what is not `Markup` is escaped, None is left out."""
    parts: list[str] = []
    for content in contents:
        if content is None:
            continue
        if isinstance(content, Markup):
            parts.append(content)
        elif isinstance(content, str):
            parts.append(escaped(content))
        elif isinstance(content, int | float):
            parts.append(_number(content))
        else:
            parts.append(join(*content))
    return Markup("".join(parts))


def element(tag: str, /, *contents: Content, **attributes: Value) -> Markup:
    """Return an element.

    Args:
        tag: its name.
        contents: see `join`; an element of `VOID` has none.
        attributes: by their names. A `_` stands for `-`, and one at the end is dropped, so that
            `class_` can be written. True is an attribute without a value; None and False are left
            out.
    """
    texts = [_checked(tag)]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        key = _checked(name.rstrip("_").replace("_", "-"))
        if value is True:
            texts.append(key)
        else:
            text = escaped(value) if isinstance(value, str) else _number(value)
            texts.append(f'{key}="{text}"')
    start = " ".join(texts)
    if tag in VOID and not contents:
        return Markup(f"<{start}/>")
    return Markup(f"<{start}>{join(*contents)}</{tag}>")


def number(value: float | None, text: str) -> Markup:
    """Return a number as people read it, with its exact value for programs.

    Args:
        value: the number; None or not finite if there is none.
        text: how it is shown.
    """
    if value is None or value - value != 0:
        return join(text)
    return element("data", text, value=repr(value))


def _number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    return str(value) if isinstance(value, int) else f"{round(value, 2):.10g}"


@functools.cache
def _checked(name: str) -> str:
    """Return the name of a tag or an attribute.

    Raises:
        ValueError: it is not a name; only constants of the sources may be names.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!a} is not the name of a tag or an attribute")
    return name
