"""A virtual headset: physiology, a board that speaks the protocol, and faults on demand."""
