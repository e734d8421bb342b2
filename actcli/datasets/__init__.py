"""Data sets: read the file formats, find a data set by name, split it, normalise it, batch it."""
