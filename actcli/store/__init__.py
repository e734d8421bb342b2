"""The run store: the folder of a run, its records and checkpoint, and the catalog of all runs."""

DEFAULT_TRIES = 5  # trainings of `actcli fix`; the help shows it without importing NumPy
