"""Draw the twenty digits in `digits/`: two of each class, as a person would in a paint program.

Each digit is one or two strokes: smooth curves through points, with a pen of some thickness, on a
canvas of some size, black on white or white on black. `7-paint.png` is a seven of thin lines on a
white canvas of 400 x 300 pixels. The drawings were made before they were shown to a network.

    python tests/oracles/make_digits.py
"""

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw

FOLDER = Path(__file__).parent / "digits"
SCALE = 4  # drawn larger and reduced, for smooth edges

Points = list[tuple[float, float]]

# Name -> strokes through points in a box of 1 x 1, y downwards; canvas; box on it (x, y, width,
# height); thickness of the pen; whether it is white on black; whether its edges are smooth.
ZERO = [(0.5, 0.02), (0.2, 0.15), (0.08, 0.5), (0.2, 0.85), (0.5, 0.98), (0.8, 0.85), (0.92, 0.5),
        (0.8, 0.15), (0.5, 0.02)]  # fmt: skip
SLANTED_ZERO = [(0.7, 0.05), (0.35, 0.1), (0.1, 0.45), (0.08, 0.85), (0.35, 0.98), (0.7, 0.75),
                (0.88, 0.35), (0.75, 0.08), (0.6, 0.04)]  # fmt: skip
TWO = [(0.1, 0.25), (0.3, 0.05), (0.65, 0.05), (0.85, 0.28), (0.6, 0.6), (0.1, 0.95)]
LOOPED_TWO = [(0.08, 0.3), (0.2, 0.08), (0.55, 0.02), (0.8, 0.2), (0.7, 0.5), (0.35, 0.85),
              (0.12, 0.95), (0.1, 0.8), (0.3, 0.78), (0.6, 0.95), (0.95, 0.88)]  # fmt: skip
THREE = [(0.12, 0.12), (0.45, 0.02), (0.8, 0.18), (0.7, 0.4), (0.4, 0.48), (0.75, 0.56),
         (0.88, 0.78), (0.55, 0.98), (0.1, 0.88)]  # fmt: skip
ROUND_THREE = [(0.2, 0.08), (0.6, 0.02), (0.82, 0.22), (0.45, 0.46), (0.42, 0.47), (0.85, 0.62),
               (0.8, 0.92), (0.4, 1.0), (0.08, 0.82)]  # fmt: skip
SIX = [(0.75, 0.03), (0.4, 0.2), (0.15, 0.55), (0.15, 0.85), (0.45, 0.98), (0.8, 0.85),
       (0.78, 0.6), (0.45, 0.52), (0.18, 0.7)]  # fmt: skip
UPRIGHT_SIX = [(0.45, 0.02), (0.25, 0.3), (0.15, 0.65), (0.3, 0.95), (0.65, 0.96), (0.82, 0.75),
               (0.62, 0.55), (0.3, 0.6), (0.18, 0.78)]  # fmt: skip
EIGHT = [(0.75, 0.12), (0.45, 0.02), (0.18, 0.18), (0.3, 0.4), (0.7, 0.6), (0.85, 0.82),
         (0.5, 0.99), (0.15, 0.82), (0.35, 0.55), (0.7, 0.38), (0.8, 0.2), (0.7, 0.1)]  # fmt: skip
NINE = [(0.8, 0.2), (0.5, 0.03), (0.15, 0.2), (0.2, 0.45), (0.55, 0.5), (0.8, 0.25), (0.8, 0.2),
        (0.78, 0.55), (0.7, 0.98)]  # fmt: skip
HOOKED_NINE = [(0.82, 0.25), (0.55, 0.02), (0.2, 0.1), (0.15, 0.38), (0.5, 0.5), (0.8, 0.3),
               (0.85, 0.2), (0.82, 0.6), (0.6, 0.95), (0.2, 0.9)]  # fmt: skip
CIRCLE = [(0.5, 0.02), (0.2, 0.1), (0.15, 0.3), (0.5, 0.46), (0.85, 0.3), (0.8, 0.1), (0.5, 0.02)]

DIGITS: dict[str, tuple[list[Points], tuple[int, int], tuple[int, int, int, int], int, bool, bool]]
DIGITS = {
    "0-a": ([ZERO], (280, 280), (70, 40, 140, 200), 18, False, True),
    "0-b": ([SLANTED_ZERO], (120, 160), (30, 30, 60, 95), 7, True, True),
    "1-a": ([[(0.6, 0.0), (0.45, 0.5), (0.35, 1.0)]],
            (200, 200), (70, 30, 60, 140), 14, False, True),
    "1-b": ([[(0.1, 0.3), (0.6, 0.0)], [(0.6, 0.0), (0.6, 1.0)]],
            (400, 300), (170, 60, 60, 180), 10, False, False),
    "2-a": ([TWO, [(0.1, 0.95), (0.9, 0.93)]], (400, 300), (120, 50, 150, 200), 12, False, False),
    "2-b": ([LOOPED_TWO], (96, 96), (18, 16, 60, 64), 6, True, True),
    "3-a": ([THREE], (300, 300), (90, 60, 110, 180), 20, True, True),
    "3-b": ([ROUND_THREE], (150, 200), (40, 40, 70, 120), 9, False, True),
    "4-a": ([[(0.2, 0.0), (0.1, 0.55), (0.9, 0.52)], [(0.75, 0.1), (0.7, 1.0)]],
            (256, 256), (70, 40, 120, 170), 15, False, True),
    "4-b": ([[(0.75, 1.0), (0.75, 0.0)], [(0.75, 0.0), (0.05, 0.68)], [(0.05, 0.68), (1.0, 0.66)]],
            (400, 300), (130, 50, 130, 190), 8, False, False),
    "5-a": ([[(0.85, 0.03), (0.2, 0.05)], [(0.2, 0.05), (0.15, 0.45)],
             [(0.15, 0.45), (0.5, 0.38), (0.85, 0.6), (0.7, 0.9), (0.35, 1.0), (0.08, 0.88)]],
            (320, 240), (110, 40, 110, 160), 16, False, True),
    "5-b": ([[(0.3, 0.08), (0.2, 0.42), (0.55, 0.4), (0.8, 0.65), (0.6, 0.95), (0.1, 0.95)],
             [(0.3, 0.06), (0.9, 0.0)]], (128, 128), (34, 22, 60, 84), 8, True, True),
    "6-a": ([SIX], (400, 300), (140, 50, 120, 190), 14, False, False),
    "6-b": ([UPRIGHT_SIX], (64, 64), (18, 10, 28, 44), 4, True, True),
    "7-a": ([[(0.05, 0.05), (0.9, 0.05)], [(0.9, 0.05), (0.6, 0.45), (0.35, 1.0)]],
            (400, 300), (130, 50, 120, 190), 5, False, False),
    "7-b": ([[(0.08, 0.12), (0.5, 0.06), (0.92, 0.04)], [(0.92, 0.04), (0.55, 0.5), (0.4, 1.0)],
             [(0.3, 0.52), (0.8, 0.48)]], (200, 260), (50, 50, 100, 160), 12, True, True),
    "8-a": ([EIGHT], (280, 280), (90, 40, 100, 200), 16, True, True),
    "8-b": ([CIRCLE, [(x * 1.15 - 0.075, 0.46 + y * 1.15) for x, y in CIRCLE]],
            (400, 300), (140, 40, 110, 210), 11, False, False),
    "9-a": ([NINE], (240, 240), (70, 35, 110, 170), 17, False, True),
    "9-b": ([HOOKED_NINE], (110, 140), (26, 26, 56, 86), 7, False, True),
    "7-paint": ([[(0.0, 0.0), (1.0, 0.0)], [(1.0, 0.0), (0.3, 1.0)]],
                (400, 300), (140, 60, 120, 180), 3, False, False),
}  # fmt: skip


def curve(points: Points) -> list[tuple[float, float]]:
    """Return many points of the Catmull-Rom spline through some points."""
    if len(points) == 2:
        return points
    p = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, 1, 24, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        cubic = -a + 3 * b - 3 * c + d
        square = 2 * a - 5 * b + 4 * c - d
        parts.append(0.5 * (2 * b + (c - a) * t + square * t**2 + cubic * t**3))
    return [tuple(point) for point in np.vstack([*parts, p[-1]]).tolist()]


def draw(name: str) -> PIL.Image.Image:
    """Return the drawing of that name."""
    strokes, size, (left, top, width, height), thickness, is_white, is_smooth = DIGITS[name]
    scale = SCALE if is_smooth else 1
    paper, ink = (0, 255) if is_white else (255, 0)
    picture = PIL.Image.new("L", (size[0] * scale, size[1] * scale), paper)
    pen = PIL.ImageDraw.Draw(picture)
    radius = thickness * scale / 2
    for stroke in strokes:
        line = [((left + x * width) * scale, (top + y * height) * scale) for x, y in curve(stroke)]
        pen.line(line, fill=ink, width=thickness * scale, joint="curve")
        for x, y in (line[0], line[-1]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return picture.resize(size, PIL.Image.Resampling.BOX) if is_smooth else picture


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in DIGITS:
        draw(name).save(FOLDER / f"{name}.png", optimize=True)
