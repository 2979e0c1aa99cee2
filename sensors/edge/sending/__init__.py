"""From the outbox to the broker: who sends, what next, and how far the clock is off."""
