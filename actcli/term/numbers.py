"""Numbers as a reader wants them: a few digits, the same in a whole column, and never "-0".

A number that is not 0 is never shown as 0: where the decimals do not reach, it is written with an
exponent.
"""

import math
from collections.abc import Iterable

LARGE = 1e6  # from here on, digits before the point are noise


def fixed(value: float, decimals: int = 4) -> str:
    """With so many decimals: 0.0900; 4.54e-05 where these would all be 0."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.{decimals}f}"
    if abs(value) >= LARGE or (value != 0 and float(text) == 0):
        return f"{value:.2e}"
    return text if value != 0 else f"{0:.{decimals}f}"


def significant(value: float, digits: int = 4) -> str:
    """With so many significant digits: 2.300, 0.07123, 1.235e+08."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    text = f"{value:.{digits - 1}e}"  # rounded first, since 9.9996 has one digit more than it seems
    exponent = int(text.partition("e")[2])
    if -4 <= exponent < 6:
        return f"{value:.{max(0, digits - 1 - exponent)}f}"
    return text


def shortest(value: float, digits: int = 6) -> str:
    """With at most so many significant digits, as few as it needs: 3, -0.5, 1e+30."""
    return f"{value + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0.0


def percent(share: float, decimals: int = 1) -> str:
    """A share of 1 as a percentage; 0 % and 100 % mean exactly that: 75.8 %, <0.1 %, >99.9 %."""
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
    """A count with its thousands apart: 99,960."""
    return f"{count:,}"


def rounded(value: float, digits: int = 3) -> str:
    """A large number with the digits that stay from one measurement to the next: 124,000."""
    return grouped(round(float(f"{value:.{digits - 1}e}")))


def align_points(texts: Iterable[str]) -> list[str]:
    """Pad to one width, so that the decimal points stand below each other; "" stays blank."""
    parts = [_at_point(text) for text in texts]
    left = max((len(whole) for whole, _ in parts), default=0)
    right = max((len(rest) for _, rest in parts), default=0)
    return [whole.rjust(left) + rest.ljust(right) for whole, rest in parts]


def _at_point(text: str) -> tuple[str, str]:
    """Cut before the decimal point or, in 1e+30, before the exponent."""
    for mark in ".", "e":
        if mark in text:
            at = text.index(mark)
            return text[:at], text[at:]
    return text, ""
