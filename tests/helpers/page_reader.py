"""What a page holds: its elements, its texts, and its numbers beside their exact values."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Page(HTMLParser):
    """A page that was read.

    Attributes:
        tags: the names of all elements.
        attributes: the attributes of each element, in the same order.
        numbers: the exact value and the text of each `data` element.
        texts: all texts.
    """

    tags: list[str] = field(default_factory=list)
    attributes: list[dict[str, str | None]] = field(default_factory=list)
    numbers: list[tuple[float, str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    _value: str | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        self._value = dict(attrs).get("value") if tag == "data" else None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._value is not None:
            self.numbers.append((float(self._value), data))
            self._value = None

    @property
    def text(self) -> str:
        """All texts as one."""
        return "".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element with a name."""
        return [
            attributes
            for name, attributes in zip(self.tags, self.attributes, strict=True)
            if name == tag
        ]


def read_page(text: str) -> Page:
    """Return what a page holds."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def numbers_in(value: Any) -> set[float]:
    """Return all numbers in a JSON value."""
    if isinstance(value, dict):
        return set().union(*map(numbers_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(numbers_in, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {float(value)}
    return set()


def shown_value(text: str) -> tuple[float, float]:
    """Return the number that a text shows, and half a unit of its last place.

    "98.27 %" shows 0.9827; "<0.1 %" shows 0.0005 and ">99.9 %" 0.9995, each give or take 0.0005.
    """
    bare = text.replace(",", "").replace("−", "-").removesuffix(" %").strip()
    factor = 0.01 if text.endswith("%") else 1.0
    bound = bare[:1] if bare[:1] in {"<", ">"} else ""
    mantissa, _, exponent = bare.lstrip("<>").partition("e")
    decimals = len(mantissa.partition(".")[2])
    step = factor * 10.0 ** (int(exponent or 0) - decimals)
    value = float(bare.lstrip("<>")) * factor
    return value + {"": 0.0, "<": -0.5, ">": 0.5}[bound] * step, 0.5 * step
