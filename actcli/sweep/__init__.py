"""Many runs that differ in a few choices: planned, trained on any executor, told as one table."""
