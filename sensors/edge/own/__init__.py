"""The agent's own record on this machine: a day in minutes, a month in hours."""
