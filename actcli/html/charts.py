"""Charts as SVG: curves, bars, and maps, between two axes.

A chart is as wide as a phone, and grows with its column. Its colours are classes of the page's
style sheet, so that they suit light and dark pages. A value is shown when the mouse rests on its
point: by the element `title`, without a script.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from actcli.html.colours import Colour, hexadecimal
from actcli.html.markup import Markup, element, join
from actcli.html.png import data_uri, png
from actcli.html.scales import CHARACTER, TEXT_HEIGHT, Scale
from actcli.term.numbers import shortest

WIDTH, HEIGHT = 360, 216  # of a chart, in units of the picture: about a pixel each
TOP, BOTTOM, RIGHT = 24, 38, 14  # margins around the plot
MAX_POINTS = 60  # of a curve whose points are marked; more would hide it
MAX_LABEL = 14  # characters of a tick

Point = tuple[float, float | None]
Format = Callable[[float], str]


def short(value: float) -> str:
    """Return a number with at most four digits."""
    return shortest(value, 4)


@dataclass(frozen=True)
class Curve:
    """A curve of a chart.

    Args:
        name: of the curve.
        points: x ascending; a y of None, or one that is not finite, leaves a gap.
        style: the number of its colour and dashes, from 0; None for a thin grey curve.
        joined: whether lines join the points.
    """

    name: str
    points: Sequence[Point]
    style: int | None = 0
    joined: bool = True


@dataclass(frozen=True)
class Chart:
    """The frame of a chart: its axes, and what all its elements need.

    Args:
        title: what the chart shows, for screen readers.
        x, y: the axes.
        height: in units of the picture.
    """

    title: str
    x: Scale
    y: Scale
    height: int = HEIGHT
    left: float = field(init=False)

    def __post_init__(self) -> None:
        longest = max((len(_cut(text)) for _, text in self.y.ticks), default=0)
        object.__setattr__(self, "left", 8 + CHARACTER * max(2, longest))

    def across(self, value: float) -> float:
        """Return the horizontal position of a value."""
        return self.left + self.x.share(value) * (WIDTH - RIGHT - self.left)

    def down(self, value: float) -> float:
        """Return the vertical position of a value, from the top."""
        bottom = self.height - BOTTOM
        return bottom - self.y.share(value) * (bottom - TOP)

    def draw(self, *marks: Markup | None) -> Markup:
        """Return the picture.

        Args:
            marks: what is drawn between the grid and the axes.
        """
        return element(
            "svg",
            element("title", self.title),
            self._grid(),
            *marks,
            self._axes(),
            class_="chart",
            viewBox=f"0 0 {WIDTH} {self.height}",
            role="img",
            aria_label=self.title,
        )

    def _grid(self) -> Iterator[Markup]:
        for value, _ in self.y.ticks:
            y = self.down(value)
            yield element("line", class_="grid", x1=self.left, x2=WIDTH - RIGHT, y1=y, y2=y)

    def _axes(self) -> Iterator[Markup]:
        bottom = self.height - BOTTOM
        yield element("line", class_="axis", x1=self.left, x2=WIDTH - RIGHT, y1=bottom, y2=bottom)
        yield element("line", class_="axis", x1=self.left, x2=self.left, y1=TOP, y2=bottom)
        for value, text in self.y.ticks:
            y = self.down(value) + TEXT_HEIGHT / 3
            yield element("text", _cut(text), class_="end", x=self.left - 4, y=y)
        yield from self._ticks_below(bottom)
        yield element("text", self.y.title, class_="label", x=2, y=11)
        end, below = WIDTH - RIGHT, self.height - 4
        yield element("text", self.x.title, class_="label end", x=end, y=below)

    def _ticks_below(self, bottom: float) -> Iterator[Markup]:
        """Yield the ticks of the horizontal axis; a text that would touch the one before goes."""
        end = -math.inf
        for value, text in self.x.ticks:
            x, half = self.across(value), len(_cut(text)) * CHARACTER / 2
            yield element("line", class_="axis", x1=x, x2=x, y1=bottom, y2=bottom + 4)
            centre = min(x, WIDTH - half)
            if centre - half > end + 4:
                yield element("text", _cut(text), class_="mid", x=centre, y=bottom + 16)
                end = centre + half

    def curve(self, curve: Curve, x_text: Format = short, y_text: Format = short) -> Markup:
        """Return a curve with its points.

        Args:
            curve: the curve.
            x_text, y_text: write a coordinate of a point.
        """
        style = "faint" if curve.style is None else f"c{curve.style}"
        parts: list[Markup] = []
        if curve.joined:
            path = self._path(curve.points)
            parts.append(element("path", class_=f"curve {style}", d=path))
        marked = [point for point in curve.points if self.y.holds(point[1])]
        if (len(marked) > MAX_POINTS and curve.joined) or curve.style is None:
            title = element("title", curve.name)
            return element("g", title, *parts)
        for x, y in marked:
            if y is not None:
                text = f"{curve.name}, {self.x.label} {x_text(x)}: {y_text(y)}"
                place = {"cx": self.across(x), "cy": self.down(y), "r": 2.5}
                parts.append(element("circle", element("title", text), class_=style, **place))
        return element("g", *parts)

    def _path(self, points: Sequence[Point]) -> str:
        texts, starts = [], True
        for x, y in points:
            if y is None or not self.y.holds(y) or not self.x.holds(x):
                starts = True
                continue
            texts.append(f"{'M' if starts else 'L'}{self.across(x):.1f} {self.down(y):.1f}")
            starts = False
        return "".join(texts) or "M0 0"

    def rule(self, value: float, text: str) -> Markup:
        """Return a vertical line at a value, with a text above it."""
        x = self.across(value)
        is_right = x > (self.left + WIDTH) / 2
        place = {"x": x + 4 if is_right else x - 4, "y": TOP - 4}
        line = element("line", class_="rule", x1=x, x2=x, y1=TOP, y2=self.height - BOTTOM)
        if not text:
            return line
        return element(
            "g",
            line,
            element("text", text, class_="label end" if is_right else "label", **place),
        )

    def bar(self, ends: tuple[float, float], value: float, text: str, style: str) -> Markup:
        """Return an upright bar from 0 to a value.

        Args:
            ends: its left and its right end on the horizontal axis.
            value: its height.
            text: what it shows.
            style: its class.
        """
        left, right = (self.across(end) for end in ends)
        top, bottom = self.down(value), self.down(max(0.0, self.y.low))
        place = {"x": left + 0.5, "width": max(0.5, right - left - 1)}
        height = max(0.0, bottom - top)
        return element(
            "rect", element("title", text), class_=style, y=bottom - height, height=height, **place
        )

    def image(self, rows: Sequence[bytes], palette: Sequence[Colour]) -> Markup:
        """Return a picture that fills the plot; see `png` for the arguments."""
        return element(
            "image",
            href=data_uri(png(rows, palette)),
            x=self.left,
            y=TOP,
            width=WIDTH - RIGHT - self.left,
            height=self.height - BOTTOM - TOP,
            preserveAspectRatio="none",
            class_="pixels",
        )


def legend(curves: Sequence[Curve]) -> Markup:
    """Return the names of curves beside a piece of each."""
    entries = []
    for curve in curves:
        style = "faint" if curve.style is None else f"c{curve.style}"
        line = element("line", class_=f"curve {style}", x1=1, x2=27, y1=6, y2=6)
        dot = element("circle", class_=style, cx=14, cy=6, r=2.5)
        marks = (line, dot) if curve.joined else (dot,)
        swatch = element("svg", *marks, class_="swatch", viewBox="0 0 28 12", aria_hidden="true")
        entries.append(element("li", swatch, " ", element("bdi", curve.name)))
    return element("ul", *entries, class_="legend")


def ramp_legend(ramp: Sequence[Colour], low: str, high: str) -> Markup:
    """Return a strip of the colours of a map between the texts of its ends."""
    strip = png([bytes(range(len(ramp)))], ramp)
    picture = element("img", src=data_uri(strip), alt=f"colours from {low} to {high}")
    return element("p", low, " ", picture, " ", high, class_="ramp pixels")


def swatch(colour: Colour) -> Markup:
    """Return a small square of a colour."""
    style = f"background:{hexadecimal(colour)}"
    return element("span", class_="square", style=style, aria_hidden="true")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"


def stack(*parts: Markup | None) -> Markup:
    """Return elements one below the other."""
    return join(*(part for part in parts if part))
