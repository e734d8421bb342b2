"""A view as a file: an SVG picture, an HTML page, or plain text.

The file looks as the view looks in a terminal: each character stands in its column, whichever fonts
the browser has. For this, blocks, lines and braille are drawn as shapes, and every other character
outside ASCII has a cell of its own. A file has the colours of a light and of a dark page, and loads
nothing from the network.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.style import Style

from actcli.registry import Registry
from actcli.term.palette import StyleSheet, has_background
from actcli.term.shapes import CELL_HEIGHT, CELL_WIDTH, is_drawn, path
from actcli.term.text import escaped, printable

FONTS = (
    "'DejaVu Sans Mono','Cascadia Mono',Menlo,Consolas,'Liberation Mono','Noto Sans Mono',monospace"
)
FONT_SIZE = 15  # an ASCII character of these fonts is then about as wide as a cell
BASELINE = 13.5  # from the top of a cell
MARGIN = 16

ASCII, DRAWN, OTHER = range(3)  # kinds of characters


@dataclass(frozen=True)
class Piece:
    """Adjacent characters of one style and one kind.

    Args:
        text: the characters; of the kind OTHER, a single one with its combining marks.
        style: of all characters.
        kind: ASCII, DRAWN or OTHER.
        column: of the first character, from 0.
        width: number of columns.
    """

    text: str
    style: Style
    kind: int
    column: int
    width: int


Line = Sequence[Piece]
Writer = Callable[[RenderableType, int, str], str]
WRITERS: Registry[Writer] = Registry("kind of file")  # by the ending of a file's name


@WRITERS.register(".svg")
def svg(view: RenderableType, width: int, title: str, sheet: StyleSheet | None = None) -> str:
    """Return a view as an SVG picture, as wide as its longest line.

    Args:
        view: what is drawn.
        width: number of columns of the terminal.
        title: of the picture, shown as its name by browsers and screen readers.
        sheet: an empty style sheet with the colours; None for those of light and dark pages.
    """
    lines, sheet = _lines(view, width, is_coloured=True), sheet or StyleSheet()
    marks = "\n".join(
        mark for row, line in enumerate(lines) for mark in _svg_marks(row, line, sheet)
    )
    right = CELL_WIDTH * max(
        (line[-1].column + line[-1].width for line in lines if line), default=0
    )
    across, down = right + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" '
        f'viewBox="{-MARGIN} {-MARGIN} {across} {down}" class="page">\n'
        f"<title>{escaped(title)}</title>\n"
        f"<style>text{{font:{FONT_SIZE}px {FONTS};white-space:pre}}"
        f".c{{text-anchor:middle}}rect{{shape-rendering:crispEdges}}{sheet.rules()}</style>\n"
        f'<rect class="paper" x="{-MARGIN}" y="{-MARGIN}" width="{across}" height="{down}"/>\n'
        f"{marks}\n</svg>\n"
    )


def _svg_marks(row: int, line: Line, sheet: StyleSheet) -> Iterator[str]:
    """Yield the elements of a line: the backgrounds before the texts and shapes."""
    top = row * CELL_HEIGHT
    for piece in line:
        if has_background(piece.style):
            x, width = piece.column * CELL_WIDTH, piece.width * CELL_WIDTH
            size = f'width="{width}" height="{CELL_HEIGHT}"'
            yield f'<rect class="b{sheet.number(piece.style)}" x="{x}" y="{top}" {size}/>'
    for piece in line:
        number, left = sheet.number(piece.style), piece.column * CELL_WIDTH
        if piece.kind == DRAWN:
            if shape := path(piece.text, left, top):
                yield f'<path class="s{number}" d="{shape}"/>'
        elif piece.kind == OTHER:
            centre = left + piece.width * CELL_WIDTH / 2
            yield (
                f'<text class="s{number} c" x="{centre:g}" y="{top + BASELINE:g}">'
                f"{escaped(piece.text)}</text>"
            )
        else:
            for words in re.finditer(r"\S+(?: \S+)*", piece.text):
                yield (
                    f'<text class="s{number}" x="{left + words.start() * CELL_WIDTH}" '
                    f'y="{top + BASELINE:g}" textLength="{len(words[0]) * CELL_WIDTH}">'
                    f"{escaped(words[0])}</text>"
                )


@WRITERS.register(".html")
def page(view: RenderableType, width: int, title: str) -> str:
    """Return a view as an HTML page whose text can be selected and copied.

    Args:
        view: what is drawn.
        width: number of columns of the terminal.
        title: of the page.
    """
    sheet = StyleSheet()
    lines = ["".join(_spans(line, sheet)) for line in _lines(view, width, is_coloured=True)]
    text = "\n".join(lines)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width">
<title>{escaped(title)}</title>
<style>
body{{margin:0}}
pre{{font:{FONT_SIZE}px/{CELL_HEIGHT}px {FONTS};margin:{MARGIN}px}}
pre{{text-rendering:geometricPrecision}}
.c,.d,.f{{display:inline-block;height:{CELL_HEIGHT}px;vertical-align:top}}
.c{{width:1ch;text-align:center}}
.d{{position:relative;-webkit-text-fill-color:transparent;overflow:hidden}}
svg{{position:absolute;left:0;top:0;width:100%;height:100%;fill:currentColor}}
{sheet.rules()}
</style>
</head>
<body class="page">
<pre>{text}</pre>
</body>
</html>
"""


def _spans(line: Line, sheet: StyleSheet) -> Iterator[str]:
    """Yield the elements of a line; a drawn character lies over its own, invisible text."""
    for piece in line:
        number, text = sheet.number(piece.style), escaped(piece.text)
        names = [f"s{number}"] + [f"b{number} f"] * has_background(piece.style)
        if piece.kind == DRAWN:
            names.append("d")
            box = f'viewBox="0 0 {piece.width * CELL_WIDTH} {CELL_HEIGHT}"'
            shape = f'<path d="{path(piece.text)}"/>'
            text = f'<svg {box} preserveAspectRatio="none">{shape}</svg>{text}'
        elif piece.kind == OTHER:
            names.append("c")
        elif piece.style == Style.null():
            yield text
            continue
        wide = piece.kind == DRAWN or (piece.kind == OTHER and piece.width != 1)
        size = f' style="width:{piece.width}ch"' if wide else ""
        yield f'<span class="{" ".join(names)}"{size}>{text}</span>'


@WRITERS.register(".txt")
def plain_text(view: RenderableType, width: int, title: str) -> str:
    """Return a view as text without colours.

    Args:
        view: what is drawn.
        width: number of columns of the terminal.
        title: not shown.
    """
    lines = _lines(view, width, is_coloured=False)
    return "".join("".join(piece.text for piece in line).rstrip() + "\n" for line in lines)


def _lines(view: RenderableType, width: int, is_coloured: bool) -> list[Line]:
    """Return the lines of a view in a terminal of a width that shows all characters."""
    console = Console(
        file=io.StringIO(),
        width=width,
        height=25,
        color_system="truecolor" if is_coloured else None,
        force_terminal=is_coloured,
        no_color=not is_coloured,  # whatever NO_COLOR says about the terminal
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    lines: list[Line] = []
    for segments in console.render_lines(view, pad=False):
        column = 0
        pieces: list[Piece] = []
        for segment in segments:
            for piece in _pieces(printable(segment.text), segment.style or Style.null(), column):
                pieces.append(piece)
                column += piece.width
        lines.append(pieces)
    return lines


def _pieces(text: str, style: Style, column: int) -> Iterator[Piece]:
    for kind, group in groupby(_characters(text), _kind):
        characters = list(group)
        for part in characters if kind == OTHER else ["".join(characters)]:
            width = cell_len(part)
            yield Piece(part, style, kind, column, width)
            column += width


def _characters(text: str) -> list[str]:
    """Return the characters of a text, each with the combining marks after it."""
    characters: list[str] = []
    for character in text:
        if characters and not cell_len(character):
            characters[-1] += character
        else:
            characters.append(character)
    return characters


def _kind(character: str) -> int:
    if character.isascii():
        return ASCII
    return DRAWN if len(character) == 1 and is_drawn(character) else OTHER
