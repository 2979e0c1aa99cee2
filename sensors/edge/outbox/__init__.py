"""Windows on disk until the server says it has them; what is left of a damaged file."""
