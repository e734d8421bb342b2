"""A terminal toolkit that knows nothing of networks: text, tables, bars, plots, images."""
