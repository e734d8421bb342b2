"""Many runs that differ in a few keys: planned, trained on any executor, reported as one table."""
