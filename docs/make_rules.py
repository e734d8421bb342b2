"""Write docs/rules.md from the rules themselves:

.venv/bin/python docs/make_rules.py
"""

import textwrap
from pathlib import Path

from actcli.diagnostics.rules import RULES

PAGE = Path(__file__).parent / "rules.md"
WIDTH = 100
INTRODUCTION = """\
# The rules of `actcli diagnose`

What a verdict can be, and what it rests on. `actcli diagnose --explain RULE` prints the same. This
page is made by `docs/make_rules.py`.

A finding is an **error** if the network does not work or cannot be trusted at all, a **warning** if
something is clearly wrong and costs accuracy or capacity, a **note** if it is worth knowing. A
network without an error and a warning is healthy. How bad most faults are follows from the *skill*
of the network, the part of the way that it has gone from the accuracy of a constant answer to
100 %: an error below 10 %, a warning below 90 %, above that a note or nothing. "Has learnt well"
means a skill of 90 % or more.

The order is that of causes: a rule may account for findings of rules below it, which then become
part of its evidence. "Healthy set-ups" are those of `benchmarks/verdicts.py`; what it found is in
[verdicts.md](verdicts.md)."""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for name, rule in RULES.items():
        parts.append(f"## {name}")
        texts = {
            "What it means": rule.meaning,
            "Why it is bad": rule.harm,
            "Threshold": rule.threshold,
            "Known limits": rule.limits,
            "Source": f"{rule.source}.",
        }
        parts += [
            textwrap.fill(f"**{title}.** {text}", WIDTH, break_on_hyphens=False)
            for title, text in texts.items()
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
