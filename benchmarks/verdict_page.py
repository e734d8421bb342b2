"""The page docs/verdicts.md: one section for each set of `verdicts.py`, written apart."""

import math
from collections.abc import Sequence
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"
TITLE = "# Verdicts on networks whose fault is known"
SECTIONS = ("Ours", "Published", "Generated", "Rates of other tools")
QUANTILE = 1.959964  # of the normal distribution, at 97.5 %


def wilson(yes: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, JASA 22 (1927), page 209).

    Args:
        yes: the number of successes.
        count: the number of trials, at least 1.
    """
    share, square = yes / count, QUANTILE**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    variance = share * (1 - share) / count + square / (4 * count**2)
    half = QUANTILE * math.sqrt(variance) / (1 + square / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def rate(yes: int, count: int) -> str:
    """Return a share as a count, a percentage and its 95 % interval."""
    if not count:
        return ""
    low, high = wilson(yes, count)
    return f"{yes} of {count}: {100 * yes / count:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def write_section(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Replace one section of the page, and leave the others as they are."""
    sections = read_sections(page)
    sections[name] = "\n".join(lines).strip()
    head = [
        TITLE,
        "",
        "`python benchmarks/verdicts.py` writes this page, one section for each set of set-ups:",
        "*ours*, on which the thresholds were chosen; *published*, whose truth others set; and",
        "*generated*, whose truth is set by intervention. Shares have 95 % intervals (Wilson).",
    ]
    parts = ["\n".join(head)]
    parts += [f"## {title}\n\n{sections[title]}" for title in SECTIONS if title in sections]
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def read_sections(page: Path) -> dict[str, str]:
    """Return the text of each section of the page by its heading."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = {}
    for part in text.split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        sections[title] = body.strip()
    return sections
