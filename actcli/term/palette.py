"""The colours of a saved picture on a light and on a dark page.

A picture has both sets of colours; the browser chooses by `prefers-color-scheme`.
"""

from rich.color import blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import MONOKAI, TerminalTheme

DARK = MONOKAI
# On white, each colour and the dim text have a contrast of at least 4.5.
LIGHT = TerminalTheme(
    (255, 255, 255),
    (16, 18, 20),
    [
        (16, 18, 20),
        (190, 30, 45),
        (26, 110, 50),
        (153, 106, 0),
        (9, 90, 190),
        (140, 60, 170),
        (0, 112, 130),
        (89, 96, 105),
    ],
)
DIM = 0.4  # share of the background in the colour of dim text


class StyleSheet:
    """The CSS classes of the styles in a picture: `s1` for a text, `b1` for its background.

    Args:
        theme: the colours of the picture.
        dark: the colours on dark pages; None for the same ones.
    """

    def __init__(self, theme: TerminalTheme = LIGHT, dark: TerminalTheme | None = DARK) -> None:
        self._theme, self._dark = theme, dark
        self._numbers: dict[Style, int] = {}

    def number(self, style: Style) -> int:
        """Return the number of a style, which its two classes have."""
        return self._numbers.setdefault(style, len(self._numbers))

    def rules(self) -> str:
        """Return the CSS rules, with the colours of a dark page in a media query."""
        rules = _rules(self._numbers, self._theme)
        for style, number in self._numbers.items():
            if declarations := font(style):
                rules += f".s{number}{{{declarations}}}"
        if self._dark:
            dark = _rules(self._numbers, self._dark)
            rules += f"@media (prefers-color-scheme:dark){{{dark}}}"
        return rules


def _rules(numbers: dict[Style, int], theme: TerminalTheme) -> str:
    paper, ink = theme.background_color.hex, theme.foreground_color.hex
    # Both properties: fill for the SVG picture, and color for the HTML page.
    rules = [f".page{{color:{ink};fill:{ink};background:{paper}}}.paper{{fill:{paper}}}"]
    for style, number in numbers.items():
        text, background = colours(style, theme)
        if style.color or style.dim or style.reverse:
            rules.append(f".s{number}{{color:{text.hex};fill:{text.hex}}}")
        if background:
            rules.append(f".b{number}{{fill:{background.hex};background:{background.hex}}}")
    return "".join(rules)


def has_background(style: Style) -> bool:
    """Return whether a style fills the cells behind its text."""
    return colours(style, LIGHT)[1] is not None


def colours(style: Style, theme: TerminalTheme) -> tuple[ColorTriplet, ColorTriplet | None]:
    """Return the colours of a text and of its background; None for the background of the page."""
    text, background = theme.foreground_color, None
    if style.color and not style.color.is_default:
        text = style.color.get_truecolor(theme)
    if style.bgcolor and not style.bgcolor.is_default:
        background = style.bgcolor.get_truecolor(theme, foreground=False)
    paper = background or theme.background_color
    if style.reverse:
        text, background = paper, text
        paper = background
    if style.dim:
        text = blend_rgb(text, paper, DIM)
    return text, background


def font(style: Style) -> str:
    """Return the CSS of a style apart from its colours."""
    declarations = {
        "font-weight:bold": style.bold,
        "font-style:italic": style.italic,
        "text-decoration:underline": style.underline,
        "text-decoration:line-through": style.strike,
    }
    return ";".join(text for text, is_set in declarations.items() if is_set)
