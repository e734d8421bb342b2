"""Write docs/rules.md from the rules themselves:

.venv/bin/python docs/make_rules.py
"""

import textwrap
from pathlib import Path

from actcli.diagnostics.measured import cases, measured
from actcli.diagnostics.rules import RULES

PAGE = Path(__file__).parent / "rules.md"
WIDTH = 100
INTRODUCTION = """\
# The rules of `actcli diagnose`

This page lists the faults that `actcli diagnose` reports, with their thresholds. In the terminal,
`actcli diagnose --explain RULE` prints the text of one rule. `docs/make_rules.py` writes this page.

A finding is an **error** if the network does not work or cannot be trusted at all. It is a
**warning** if the fault costs accuracy or capacity, and a **note** if the fault is merely worth
knowing. A network without errors and warnings is healthy.

The severity of most faults follows from the *skill* of the network: the part of the way that its
accuracy has gone from the accuracy of a constant prediction to 100 %. With a skill below 10 % the
fault is an error, otherwise a warning; if the network has learnt well, it is a note or not
reported.

Hard data are not an ill network: where the labels of classes overlap, no network is right for every
row. So two simple classifiers, a linear one and the vote of five nearest neighbours, are fitted to
a sample of the examined rows and judged on other rows. "Has learnt well" means that neither is more
accurate than the network by 2 percentage points and two standard errors. If both are hardly better
than a constant prediction, it means a skill of 90 % or more.

With a run, network and simple classifiers also answer the same rows: the validation rows, and all
training rows of a small table. A network that knows its training rows by heart and is worse on
others is found so. The classifiers must then be better by 2 points and 2.5 standard errors. Two
standard errors are enough where the configuration says by itself what is wrong, such as a dropout
of 0.9; where nothing but the accuracy speaks of a fault, it takes 5 points and 3.5 standard errors.

Steps are compared, not learning rates. A step of the default recipe has the optimizer's default
rate, momentum 0.9 and cross-entropy. Momentum μ makes steps 1/(1 - μ) times as long, and with SGD
the size of the loss's gradient counts, too.

Causes stand before their effects. A rule may explain the findings of rules below it; these findings
then become part of its evidence.

A row is one example of the data set. δ is the derivative of a row's loss with respect to the
pre-activations of a layer; its norm is called the error in that layer. A unit is dead if the
derivative of its activation is 0 on every row. "Healthy" and "faulty" set-ups are trainings of
`benchmarks/verdicts.py`, whose results are in [verdicts.md](verdicts.md).

"Measured" counts what a rule says on {cases}:
trainings that are healthy, and the same trainings with a planted fault. Half of them are judged
from the weights alone. An interval is one of 95 %.
A finding names a cause rightly if it is a warning or an error of a rule that the planted fault
allows. A cured run regains 80 % of the accuracy that the fault cost."""


def page() -> str:
    """Return the page in Markdown."""
    parts = [INTRODUCTION.replace("{cases}", cases())]
    for name, rule in RULES.items():
        parts.append(f"## {name}")
        texts = {
            "What it means": rule.meaning,
            "Why it is bad": rule.harm,
            "Threshold": rule.threshold,
            "Known limits": rule.limits,
            "Remedies": rule.cure,
            "Measured": measured(name).describe(),
            "Source": f"{rule.source}.",
        }
        parts += [
            textwrap.fill(f"**{title}.** {text}", WIDTH, break_on_hyphens=False)
            for title, text in texts.items()
        ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
