"""What a network does inside: measure first, then judge. Nothing here prints."""

HEALTHY = "healthy"  # the verdict without a fault; here, since a list of runs needs no NumPy
