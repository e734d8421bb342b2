"""Measurements inside a network, and the verdict on them. Nothing here prints.

Help, completion and the list of runs use these names without importing NumPy.
"""

HEALTHY = "healthy"  # the verdict without a fault
PARTS = ("gradients", "units", "softmax", "verdict")  # of a diagnosis; "history" on demand
SEVERITIES = ("note", "warning", "error")
SPLITS = ("train", "validation", "test")
