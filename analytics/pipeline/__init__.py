"""The functional core that everything drives: ``(state, arrivals, now) -> (state, outputs)``."""
