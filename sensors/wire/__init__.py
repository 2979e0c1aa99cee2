"""The bytes between a client and its broker: packets, sockets, and what wakes whom."""
