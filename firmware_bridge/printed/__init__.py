"""Boards that only print lines of numbers: bytes to values; pure."""
