"""actcli: train multilayer perceptrons in plain NumPy, and see what goes wrong inside."""

__version__ = "0.1.0"
