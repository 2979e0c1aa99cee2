"""An agent's own baseline, the strain score, the evidence that builds up and the episodes it makes. Pure."""
