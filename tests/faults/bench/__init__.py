"""`letuin bench faults`: random faults against a stream of jobs, and what they did to it."""
