"""Measurements inside a network, and the verdict on them. Nothing here prints.

Help, completion and the list of runs use the names below without importing NumPy.
"""

HEALTHY = "healthy"  # the verdict if no finding is worse than a note
UNTRAINED = "untrained"  # the same for a network without a trained epoch; also a rule
FAULTLESS = (HEALTHY, UNTRAINED)
PARTS = ("gradients", "units", "softmax", "verdict")  # of a diagnosis, unless others are named
PICTURES = ("confusion", "activations", "weights")  # parts only on request, as is "history"
LABELS = "labels"  # the part that is shown on request, or if the labels may be wrong
SEVERITIES = ("note", "warning", "error")
SPLITS = ("train", "validation", "test")
