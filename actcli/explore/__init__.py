"""One module per exploring command: from its arguments to one frozen result."""
