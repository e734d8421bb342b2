"""The configuration of a run: keys, values, their sources, and keys that exclude each other."""
