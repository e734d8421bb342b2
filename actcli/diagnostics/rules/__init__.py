"""The rules: from evidence to findings, each with its cause, its remedy and its source.

No single number separates a faulty network from a healthy one. A rule therefore combines a symptom
with the question whether the network learns, and must not fire on a healthy network. Measured
thresholds come from the set-ups of `benchmarks/setups.py`.
"""

from actcli.diagnostics.findings import Rule
from actcli.diagnostics.rules.architecture import Bottleneck, NoNonlinearity, TooDeep
from actcli.diagnostics.rules.conditions import (
    LearningRateTooHigh,
    NonFinite,
    SymmetricUnits,
    UnscaledInput,
)
from actcli.diagnostics.rules.confidence import Underconfident
from actcli.diagnostics.rules.course import LearningRateTooLow, Overfitting, UnderfittingTooShort
from actcli.diagnostics.rules.error_flow import (
    BornDead,
    ClassImbalance,
    ExplodingGradient,
    VanishingGradient,
)
from actcli.diagnostics.rules.flatness import (
    DeadUnits,
    LossOutputMismatch,
    PoorInitialLoss,
    Saturation,
)
from actcli.diagnostics.rules.labels import PermutedLabels, Untrained, WrongLabels
from actcli.diagnostics.rules.outcome import (
    CollapsedOutput,
    NotLearning,
    Overconfident,
    Underfitting,
)
from actcli.diagnostics.rules.restraints import BatchTooLarge, OverRegularised, StarvingClipping
from actcli.diagnostics.rules.weights import LargeWeights, SmallWeights
from actcli.registry import Registry

# Causes come before effects: a rule explains only findings of rules below it. Among equally severe
# findings, the finding of the upper rule is reported first.
RULES: Registry[type[Rule]] = Registry("rule")
RULES.register("non-finite-parameters")(NonFinite)
RULES.register("untrained")(Untrained)
RULES.register("permuted-labels")(PermutedLabels)
RULES.register("wrong-labels")(WrongLabels)
RULES.register("symmetric-units")(SymmetricUnits)
RULES.register("unscaled-input")(UnscaledInput)
RULES.register("over-regularised")(OverRegularised)
RULES.register("no-nonlinearity")(NoNonlinearity)
RULES.register("batch-too-large")(BatchTooLarge)
RULES.register("small-weights")(SmallWeights)
RULES.register("learning-rate-too-high")(LearningRateTooHigh)
RULES.register("exploding-gradient")(ExplodingGradient)
RULES.register("born-dead")(BornDead)
RULES.register("class-imbalance")(ClassImbalance)
RULES.register("bottleneck")(Bottleneck)
RULES.register("vanishing-gradient")(VanishingGradient)
RULES.register("too-deep")(TooDeep)
RULES.register("loss-output-mismatch")(LossOutputMismatch)
RULES.register("saturation")(Saturation)
RULES.register("poor-initial-loss")(PoorInitialLoss)
RULES.register("large-weights")(LargeWeights)
RULES.register("dead-units")(DeadUnits)
RULES.register("starving-clipping")(StarvingClipping)
RULES.register("learning-rate-too-low")(LearningRateTooLow)
RULES.register("overfitting")(Overfitting)
RULES.register("underfitting-too-short")(UnderfittingTooShort)
RULES.register("collapsed-output")(CollapsedOutput)
RULES.register("not-learning")(NotLearning)
RULES.register("overconfident")(Overconfident)
RULES.register("underconfident")(Underconfident)
RULES.register("underfitting")(Underfitting)
