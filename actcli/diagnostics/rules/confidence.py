"""A fault of the probabilities of a network of unknown origin: far less confident than right."""

from actcli.diagnostics.evidence import Evidence
from actcli.diagnostics.findings import Finding, Remedy, Rule, Severity
from actcli.diagnostics.rules.wording import result
from actcli.diagnostics.symptoms import percent

# Accuracy minus mean confidence; the expected calibration error must be as large.
UNDERCONFIDENCE = 0.45


class Underconfident(Rule):
    """Confidence far below accuracy."""

    meaning = "The mean confidence of the predictions is far below their accuracy."
    harm = "Right predictions look like guesses, and the probabilities mislead wherever they count."
    limits = (
        "Only for weights of unknown origin: a configuration names its label smoothing, and "
        "over-regularised is reported instead. A training that was too short has this effect, too."
    )
    cure = "Training without label smoothing, or for more epochs."
    threshold = (
        f"The accuracy is at least {100 * UNDERCONFIDENCE:g} percentage points above the mean "
        f"confidence, and the expected calibration error is at least {percent(UNDERCONFIDENCE)}. "
        "Healthy set-ups have up to 40 points after a few epochs, a label smoothing of 0.85 leaves "
        "61 to 70 points, and up to 50 with two classes."
    )
    source = "Müller, Kornblith, Hinton, When Does Label Smoothing Help? (NeurIPS 2019), section 2"
    explains = ("underfitting",)

    def check(self, evidence: Evidence) -> Finding | None:
        outputs = evidence.outputs
        if evidence.training is not None or outputs is None:
            return None
        if not min(outputs.accuracy - outputs.confidence, outputs.ece) >= UNDERCONFIDENCE:
            return None
        # The largest probability levels off at 1 - s + s/K for a smoothing s and K classes.
        smoothing = (1 - outputs.confidence) * evidence.classes / (evidence.classes - 1)
        return self.finding(
            Severity.WARNING,
            (
                f"Mean confidence is {percent(outputs.confidence)}, accuracy "
                f"{percent(outputs.accuracy)}: as after a label smoothing of "
                f"{min(smoothing, 1):.2g}.",
                result(evidence),
            ),
            "The weights alone do not tell which: label smoothing that hides the labels, or a "
            "training that ended before the probabilities grew.",
            [
                Remedy(
                    "Without smoothing the target is the label, and more epochs let the "
                    "probabilities grow.",
                    {"loss.label_smoothing": 0.0},
                ),
            ],
        )
