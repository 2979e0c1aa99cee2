"""What came in and what was done with it, on disk before it counts: a restart reaches the same state."""
