"""Many runs that differ in a few choices: planned here, trained on any executor, told as one table.

Read `axes`, `plan`, `work`, `worker`, `engine`, `processes`, `folder`, `table` in this order.
"""
