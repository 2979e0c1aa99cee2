"""Files that only this agent's edges can read: cipher, key, and one SQLite file of the owner's."""
