"""What stands on or beside the display: presence radars, decoded and read as a collector."""
