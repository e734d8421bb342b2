"""Make the pictures of the README from real sessions.

Each command runs in a real terminal (tmux) of 100 columns, in an empty folder. The final screen,
colours included, becomes an SVG. Blocks, lines and the dots of braille become shapes that fill
their cells, as in a terminal; the glyphs of a browser's font would leave gaps between cells. Each
session is drawn twice, for dark and for light pages. The script needs tmux and an installed actcli:

    .venv/bin/python docs/make_pictures.py
"""

import html
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text

COLUMNS, LINES = 100, 75
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
THEMES = {"": MONOKAI, "-light": LIGHT}
PICTURES = Path(__file__).parent / "pictures"
BIN = Path(sys.executable).parent
SESSIONS = {
    "train": "actcli train",
    "diagnose": "actcli diagnose",
    "predict": "actcli predict --worst 2",
    "compare": "actcli compare relu sigmoid",
    "activations": "actcli activations sigmoid relu --at -2,0,0.5",
    "softmax": "actcli softmax 2.0 1.0 -0.5 --labels cat,dog,bird --target dog",
}
BEFORE = {
    "diagnose": "actcli train dying-relu --quiet > train.txt",
    "predict": "actcli train --quiet > train.txt",
    "compare": "for name in relu sigmoid; do actcli train $name --quiet > train.txt; done",
}

CELL_WIDTH, CELL_HEIGHT, ASCENT = 12.2, 24.4, 18.5  # of rich's SVG, in its units
STROKE = 0.05  # half of the width of a line, in widths of a cell
THIN = STROKE * CELL_WIDTH / CELL_HEIGHT
UPRIGHT = (0.5 - STROKE, 0.0, 0.5 + STROKE, 1.0)
LEVEL = (0.0, 0.5 - THIN, 1.0, 0.5 + THIN)
LEFT, RIGHT = (0.0, LEVEL[1], 0.5, LEVEL[3]), (0.5, LEVEL[1], 1.0, LEVEL[3])
BETWEEN = 0.08  # of the height of a cell, from bar to bar
DOT = 0.13  # half of the width of a dot of braille
Box = tuple[float, float, float, float]  # left, top, right, bottom of a cell, from 0 to 1
BOXES: dict[str, list[Box]] = {
    "│": [UPRIGHT],
    "─": [LEVEL],
    "┤": [UPRIGHT, LEFT],
    "┬": [LEVEL, (UPRIGHT[0], 0.5, UPRIGHT[2], 1.0)],
    "└": [RIGHT, (UPRIGHT[0], 0.0, UPRIGHT[2], 0.5 + THIN)],
    "▀": [(0.0, 0.0, 1.0, 0.5)],
    **{chr(0x2580 + n): [(0.0, max(BETWEEN, 1 - n / 8), 1.0, 1.0)] for n in range(1, 9)},
    **{chr(0x2590 - n): [(0.0, BETWEEN, n / 8, 1.0)] for n in range(1, 8)},
}
TEXT = re.compile(
    r'<text class="(?P<style>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" textLength="[^"]*"'
    r"(?P<rest>[^>]*)>(?P<text>[^<]*)</text>"
)


def main() -> None:
    for name, command in SESSIONS.items():
        screen = Text.from_ansi(terminal(command, BEFORE.get(name, "true")))
        for suffix, theme in THEMES.items():
            svg = picture(f"$ {command}", screen, theme, name + suffix)
            (PICTURES / f"{name}{suffix}.svg").write_text(svg, encoding="utf-8")


def picture(prompt: str, screen: Text, theme: TerminalTheme, name: str) -> str:
    """Return an SVG of a typed command and the screen after it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(prompt, style="bold"))
    console.print(screen)
    svg = console.export_svg(title="actcli", theme=theme, unique_id=name)
    # The fonts that rich loads from the web are not needed: each system has a monospaced font.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    if theme is LIGHT:  # a white edge would not be seen
        svg = svg.replace('stroke="rgba(255,255,255,0.35)"', 'stroke="rgba(0,0,0,0.25)"')
    return TEXT.sub(with_shapes, svg)


def with_shapes(match: re.Match[str]) -> str:
    """Return a text element of the SVG in which blocks, lines and braille are a path."""
    text = html.unescape(match["text"])
    left, top = float(match["x"]), float(match["y"]) - ASCENT
    path, words = "", ""
    at = 0
    for drawn, group in groupby(text, lambda sign: bool(boxes(sign))):
        signs = "".join(group)
        x = left + at * CELL_WIDTH
        if drawn:
            path += "".join(outline(x, top, signs))
        elif signs.strip():
            words += (
                f'<text class="{match["style"]}" x="{x:g}" y="{match["y"]}" '
                f'textLength="{len(signs) * CELL_WIDTH:g}"{match["rest"]}>'
                f"{html.escape(signs).replace(chr(0xA0), '&#160;')}</text>"
            )
        at += len(signs)
    if path:
        path = f'<path class="{match["style"]}" d="{path}" shape-rendering="crispEdges"/>'
    return path + words


def boxes(sign: str) -> list[Box]:
    """Return the boxes that fill the cell of a drawn character; none for other characters."""
    dots = ord(sign) - 0x2800
    if not 0 < dots < 0x100:
        return BOXES.get(sign, [])
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    return [
        (
            x / 2 + 0.25 - DOT,
            y / 4 + 0.125 - DOT * CELL_WIDTH / CELL_HEIGHT,
            x / 2 + 0.25 + DOT,
            y / 4 + 0.125 + DOT * CELL_WIDTH / CELL_HEIGHT,
        )
        for bit, (x, y) in enumerate(places)
        if dots >> bit & 1
    ]


def outline(x: float, y: float, signs: str) -> Iterator[str]:
    """Yield the path of adjacent drawn characters; a run of equal characters is one shape."""
    at = 0
    for sign, group in groupby(signs):
        count = len(list(group))
        whole = all(left == 0 and right == 1 for left, _, right, _ in boxes(sign))
        for first in [at] if whole else range(at, at + count):
            for left, top, right, bottom in boxes(sign):
                width = (count if whole else right - left) * CELL_WIDTH
                yield (
                    f"M{x + (first + left) * CELL_WIDTH:.2f} {y + top * CELL_HEIGHT:.2f}"
                    f"h{width:.2f}v{(bottom - top) * CELL_HEIGHT:.2f}h{-width:.2f}z"
                )
        at += count


def terminal(command: str, before: str) -> str:
    """Return the screen of a terminal after a command, with colours as escape sequences.

    Args:
        command: the command whose output is shown.
        before: a command that runs first; its output is not shown.
    """
    session = "actcli-pictures"
    with tempfile.TemporaryDirectory() as folder:
        begin = f"cd {folder}; unset NO_COLOR; PATH={BIN}:$PATH; {before}; clear"
        shell = f"{begin}; {command}; tmux wait-for -S {session}; sleep 60"
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        subprocess.run(["tmux", "new-session", "-d", "-s", session, *size, shell], check=True)
        try:
            subprocess.run(["tmux", "wait-for", session], check=True, timeout=120)
            time.sleep(0.5)
            capture = subprocess.run(
                ["tmux", "capture-pane", "-e", "-p", "-t", session],
                check=True,
                capture_output=True,
                text=True,
            )
        finally:
            subprocess.run(["tmux", "kill-session", "-t", session], check=True)
    return capture.stdout.rstrip()


if __name__ == "__main__":
    main()
