"""The server of one site: its loop, its broker and its snapshots."""
