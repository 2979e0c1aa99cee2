"""Files that outlive the server: ``server.sqlite``, snapshots as bytes, packed points, archives."""
