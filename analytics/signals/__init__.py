"""From 5-second windows to one row of features per agent: ring buffers, spans and beats. Pure."""
