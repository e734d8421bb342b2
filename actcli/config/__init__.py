"""The configuration of a run: its keys, their sources, the checks between keys, resolution."""
