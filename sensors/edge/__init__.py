"""Edge process: consent, windows, outbox and publisher on the agent's machine."""
