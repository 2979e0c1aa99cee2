"""What `wellbeing up` and `wellbeing me` need to run without a server installed."""
