"""The way to a board: serial ports, TCP, and captures of their bytes."""
