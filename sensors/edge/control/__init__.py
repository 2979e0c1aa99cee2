"""How another terminal, or a command with no edge running, reaches the agent's edges."""
