"""Acoustic features of the agent's own voice: pure features apart from the microphone."""
