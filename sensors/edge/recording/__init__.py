"""What was measured, as a recording, and a recording sent through the real path."""
