"""The page docs/verdicts.md: one section for each set of `verdicts.py`, written apart."""

from collections.abc import Sequence
from pathlib import Path

from actcli.diagnostics.significance import wilson

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"
TITLE = "# Verdicts on networks whose fault is known"
SECTIONS = ("Ours", "Published", "Generated", "Rates of other tools")


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
