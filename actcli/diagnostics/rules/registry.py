"""The table that the rules enter themselves in."""

from actcli.diagnostics.findings import Rule
from actcli.registry import Registry

RULES: Registry[type[Rule]] = Registry("rule")

# What follows where nothing is learnt, whatever the reason.
IDLE = ("not-learning", "collapsed-output", "learning-rate-too-low", "underfitting-too-short")
