"""From collectors to windows: found, started, watched, gathered, and when a window ends."""
