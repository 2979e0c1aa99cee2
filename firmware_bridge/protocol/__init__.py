"""The serial protocol of hardware.md: bytes to messages and back; pure."""
