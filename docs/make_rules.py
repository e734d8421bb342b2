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

The faults that `actcli diagnose` reports, with their thresholds. `actcli diagnose --explain RULE`
prints the text of one rule. `docs/make_rules.py` writes this page.

A finding is an **error** if the network does not work or cannot be trusted at all. It is a
**warning** if a fault costs accuracy or capacity, and a **note** if it is worth knowing. A network
without errors and warnings is healthy. The severity of most faults follows from the *skill* of the
network: the part of the way from the accuracy of a constant prediction to 100 %. A skill below 10 %
makes an error, below 90 % a warning, above that a note or nothing. "Has learnt well" means a skill
of 90 % or more.

Causes stand before their effects: a rule may explain findings of rules below it, which then become
part of its evidence. δ is the derivative of a row's loss with respect to the pre-activations of a
layer. "Healthy set-ups" and "faulty" ones are the trainings of `benchmarks/verdicts.py`; the
results are in [verdicts.md](verdicts.md)."""


def page() -> str:
    """Return the page in Markdown."""
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
