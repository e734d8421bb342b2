"""The colours of a page: of its text, of the curves of a chart, and of maps.

The curves have the colours of Okabe and Ito (Color Universal Design, 2008), some of them darkened
for white pages, so that each has a contrast of 3 with the page. With red-green and blue-yellow
blindness they remain distinct; each curve has dashes of its own, too. The ramps of maps rise evenly
in luminance, so that they can be read in greyscale.
"""

from collections.abc import Sequence

Colour = tuple[int, int, int]

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f4f6f8",
    "ink": "#1b1f24",
    "dim": "#57606a",
    "line": "#d0d7de",
    "grid": "#e4e8ec",
    "link": "#0057a8",
    "error": "#b3261e",
    "warning": "#8a5a00",
    "good": "#1a6e32",
}
DARK = {
    "paper": "#14171a",
    "panel": "#1e2226",
    "ink": "#e6e9ec",
    "dim": "#a3acb5",
    "line": "#3d444b",
    "grid": "#2b3036",
    "link": "#7cc0ff",
    "error": "#ff9d94",
    "warning": "#f2c14e",
    "good": "#6fd08c",
}
LIGHT_CURVES = ("#0072b2", "#d55e00", "#009e73", "#b0508a", "#1b1f24")
DARK_CURVES = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4")

# Viridis and magma (van der Walt, Smith, 2015), a few shades of each.
VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
MAGMA = ((18, 13, 50), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191))
BLUES = ((255, 255, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
# Negative values are orange, positive ones blue (Okabe and Ito's vermillion and blue at the ends).
DIVERGING = (
    *((140, 45, 4), (213, 94, 0), (250, 190, 140), (247, 247, 247)),
    *((150, 200, 235), (0, 114, 178), (3, 52, 110)),
)
SHADES = 10  # of the cells of a table


def between(ramp: Sequence[Colour], share: float) -> Colour:
    """Return the colour at a position on a ramp, from 0 (its start) to 1 (its end)."""
    position = min(max(share, 0.0), 1.0) * (len(ramp) - 1)
    index = min(int(position), len(ramp) - 2)
    fraction = position - index
    red, green, blue = (
        round(start + fraction * (end - start))
        for start, end in zip(ramp[index], ramp[index + 1], strict=True)
    )
    return red, green, blue


def palette(ramp: Sequence[Colour], count: int = 256) -> list[Colour]:
    """Return evenly spaced colours of a ramp."""
    return [between(ramp, index / (count - 1)) for index in range(count)]


def hexadecimal(colour: Colour) -> str:
    """Return a colour as CSS has it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ink_on(colour: Colour) -> str:
    """Return black or white, whichever has the higher contrast with a background."""
    return "#000000" if luminance(colour) > 0.179 else "#ffffff"


def luminance(colour: Colour) -> float:
    """Return the relative luminance (WCAG 2.2): 0 for black, 1 for white."""
    shares = [part / 255 for part in colour]
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
