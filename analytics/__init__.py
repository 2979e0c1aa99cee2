"""Server half: the pure scoring core and its shell (journal, store, subscriber, service)."""
