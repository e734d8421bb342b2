"""What a rule is, and what it finds.

A rule is one entry of RULES: what the fault is, how it shows, what to do, and which other faults it
accounts for. Findings that share a cause are told as one, see `verdict`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from actcli.diagnostics.evidence import Evidence

EVERYTHING = "*"  # in `explains`: every other rule


class Severity(IntEnum):
    """How bad it is."""

    NOTE = 1  # worth knowing
    WARNING = 2  # something is clearly wrong, and costs accuracy or capacity
    ERROR = 3  # it does not work, or cannot be trusted at all

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """What one rule found."""

    rule: str
    severity: Severity
    layers: tuple[int, ...]  # from 1; empty where it is the network's as a whole
    evidence: tuple[str, ...]  # sentences with numbers
    cause: str  # one sentence
    remedy: str  # a change of the configuration, as TOML that can be pasted
    source: str


class Rule(ABC):
    """One fault: what it is, how it shows, and what to do.

    The texts are what `--explain` prints and `docs/rules.md` holds.

    Args:
        name: under which it stands in RULES.
    """

    meaning: ClassVar[str]
    harm: ClassVar[str]  # why it is bad
    limits: ClassVar[str]  # where the rule errs or stays silent
    threshold: ClassVar[str]  # with the source or the measurement that it came from
    source: ClassVar[str]
    explains: ClassVar[tuple[str, ...]] = ()  # rules, further down in RULES, that it accounts for

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def texts(cls) -> dict[str, str]:
        """Return the texts of the rule, each with its heading."""
        return {
            "meaning": cls.meaning,
            "harm": cls.harm,
            "threshold": cls.threshold,
            "limits": cls.limits,
            "source": cls.source,
        }

    @abstractmethod
    def check(self, evidence: Evidence) -> Finding | None:
        """The finding, if the fault is there."""

    def found(
        self,
        severity: Severity,
        evidence: tuple[str, ...],
        cause: str,
        remedy: str,
        layers: tuple[int, ...] = (),
    ) -> Finding:
        """A finding of this rule."""
        return Finding(self.name, severity, layers, evidence, cause, remedy, self.source)
