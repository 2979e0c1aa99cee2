"""What the agent allows, and whether it may be captured at this moment."""
