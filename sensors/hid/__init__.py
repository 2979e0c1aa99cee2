"""Keyboard and pointer timing: pure features apart from the listener."""
