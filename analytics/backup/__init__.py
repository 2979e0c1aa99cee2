"""Backup of everything that must survive, and its restoring with erasures done again."""
