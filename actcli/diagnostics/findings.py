"""Rules and their findings.

A rule describes one fault: its symptoms, its remedy, and the other faults that it explains.
Findings with the same cause are merged into one: see `verdict`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, ClassVar

from actcli.config.schema import toml_value
from actcli.diagnostics.evidence import Evidence

NEW_LINE = "\n"
EVERYTHING = "*"  # in `Rule.explains`: stands for every other rule


class Severity(IntEnum):
    """How bad a finding is."""

    NOTE = 1  # worth knowing
    WARNING = 2  # a fault that costs accuracy or capacity
    ERROR = 3  # the network does not work, or cannot be trusted at all

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Remedy:
    """A change that should cure a fault.

    Args:
        reason: why the change should help, in one sentence.
        changes: new values of keys of the configuration, by the path of the key, such as
            {"model.activation": "relu"}. Empty if no key can cure the fault: the reason then says
            what to do.
    """

    reason: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    def to_toml(self) -> str:
        """Return the changes as TOML to paste; without changes, the reason as a comment."""
        if not self.changes:
            return f"# {self.reason}"
        tables: dict[str, list[str]] = {}
        for path, value in self.changes.items():
            table, _, key = path.partition(".")
            tables.setdefault(table, []).append(f"{key} = {toml_value(value)}")
        return "\n\n".join(f"[{table}]\n{NEW_LINE.join(keys)}" for table, keys in tables.items())


@dataclass(frozen=True)
class Finding:
    """A fault that a rule reports."""

    rule: str
    severity: Severity
    layers: tuple[int, ...]  # from 1; empty if the fault concerns the whole network
    evidence: tuple[str, ...]  # sentences with numbers
    cause: str  # one sentence
    remedies: tuple[Remedy, ...]  # the most promising first; at least one
    source: str

    @property
    def remedy(self) -> str:
        """The first remedy, as TOML to paste."""
        return self.remedies[0].to_toml()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object."""
        remedies = [asdict(remedy) for remedy in self.remedies]
        return {
            "rule": self.rule,
            "severity": str(self.severity),
            "layers": self.layers,
            "evidence": self.evidence,
            "cause": self.cause,
            "remedy": self.remedy,
            "remedies": remedies,
            "source": self.source,
        }


class Rule(ABC):
    """One kind of fault, with the texts of `--explain` and `docs/rules.md`.

    Args:
        name: the rule's name in RULES.
    """

    meaning: ClassVar[str]
    harm: ClassVar[str]  # why the fault is bad
    limits: ClassVar[str]  # when the rule errs or stays silent
    threshold: ClassVar[str]  # the conditions, with the measurements behind their numbers
    cure: ClassVar[str]  # the remedies, in the order in which they are tried
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
            "remedies": cls.cure,
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
        remedies: Sequence[Remedy],
        layers: tuple[int, ...] = (),
    ) -> Finding:
        """Return a finding of this rule."""
        return Finding(self.name, severity, layers, evidence, cause, tuple(remedies), self.source)
