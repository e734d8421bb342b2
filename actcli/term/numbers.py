"""Numbers as text: rounded to a few digits, and never "-0".

A number other than 0 never appears as 0: a very small number is written with an exponent.
"""

import math
from collections.abc import Iterable

MIN_EXPONENT_VALUE = 1e6  # from here on, numbers are written with an exponent


def fixed(value: float, decimals: int = 4) -> str:
    """Return a number with fixed decimals: 0.0900; or 4.54e-05 if all of them would be 0."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.{decimals}f}"
    if abs(value) >= MIN_EXPONENT_VALUE or (value != 0 and float(text) == 0):
        return f"{value:.2e}"
    return text if value != 0 else f"{0:.{decimals}f}"


def significant(value: float, digits: int = 4) -> str:
    """Return a number with significant digits: 2.300, 0.07123, 1.235e+08."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    text = f"{value:.{digits - 1}e}"  # rounded first, since 9.9996 becomes 10.00
    exponent = int(text.partition("e")[2])
    if -4 <= exponent < 6:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    return text


def shortest(value: float, digits: int = 6) -> str:
    """Return a number with as few digits as it needs, at most `digits`: 3, -0.5, 1e+30."""
    return f"{value + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0.0


def percent(share: float, decimals: int = 1) -> str:
    """Return a share as a percentage: 75.8 %; 0 % and 100 % are exact, else <0.1 % and >99.9 %."""
    if not math.isfinite(share):
        return str(share)
    step = 10**-decimals
    text = f"{100 * share:.{decimals}f}"
    if share > 0 and float(text) == 0:
        return f"<{step:.{decimals}f} %"
    if share < 1 and float(text) == 100:
        return f">{100 - step:.{decimals}f} %"
    return f"{text if float(text) != 0 else f'{0:.{decimals}f}'} %"


def grouped(count: int) -> str:
    """Return a count with separated thousands: 99,960."""
    return f"{count:,}"


def rounded(value: float, digits: int = 3) -> str:
    """Return a number rounded to significant digits, with separated thousands: 124,000."""
    return grouped(round(float(f"{value:.{digits - 1}e}")))


def align_points(texts: Iterable[str]) -> list[str]:
    """Return numbers padded to one width with aligned decimal points; "" stays blank."""
    parts = [_at_point(text) for text in texts]
    left = max((len(whole) for whole, _ in parts), default=0)
    right = max((len(rest) for _, rest in parts), default=0)
    return [whole.rjust(left) + rest.ljust(right) for whole, rest in parts]


def _at_point(text: str) -> tuple[str, str]:
    """Split a number before its decimal point or, in 1e+30, before its exponent."""
    for mark in ".", "e":
        if mark in text:
            position = text.index(mark)
            return text[:position], text[position:]
    return text, ""
