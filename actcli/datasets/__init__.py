"""From files to batches: read the formats, find a data set by its name, split it, normalise it."""
