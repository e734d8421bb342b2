"""The run store: the folder of a run, its records and checkpoint, and the catalog of all runs."""
