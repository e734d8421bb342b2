"""Rules and their findings.

A rule describes one fault: its symptoms, its remedy, and the other faults that it explains.
Findings with the same cause are merged into one: see `verdict`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from actcli.diagnostics.evidence import Evidence

EVERYTHING = "*"  # in `Rule.explains`: stands for every other rule


class Severity(IntEnum):
    """How bad a finding is."""

    NOTE = 1  # worth knowing
    WARNING = 2  # a fault that costs accuracy or capacity
    ERROR = 3  # the network does not work, or cannot be trusted at all

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """A fault that a rule reports."""

    rule: str
    severity: Severity
    layers: tuple[int, ...]  # from 1; empty if the fault concerns the whole network
    evidence: tuple[str, ...]  # sentences with numbers
    cause: str  # one sentence
    remedy: str  # a change of the configuration, as TOML to paste
    source: str


class Rule(ABC):
    """One kind of fault, with the texts of `--explain` and `docs/rules.md`.

    Args:
        name: the rule's name in RULES.
    """

    meaning: ClassVar[str]
    harm: ClassVar[str]  # why the fault is bad
    limits: ClassVar[str]  # when the rule errs or stays silent
    threshold: ClassVar[str]  # the conditions, with the measurements behind their numbers
    source: ClassVar[str]
    explains: ClassVar[tuple[str, ...]] = ()  # faults that this one causes; rules below it in RULES

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
        """Return the finding; None if the evidence does not show the fault."""

    def finding(
        self,
        severity: Severity,
        evidence: tuple[str, ...],
        cause: str,
        remedy: str,
        layers: tuple[int, ...] = (),
    ) -> Finding:
        """Return a finding of this rule."""
        return Finding(self.name, severity, layers, evidence, cause, remedy, self.source)
