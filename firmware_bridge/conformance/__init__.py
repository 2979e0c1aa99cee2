"""`firmware-bridge check`: each requirement of hardware.md as a named test."""
