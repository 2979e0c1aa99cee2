"""From the spool on disk into the store: in order, bounded, and with what was refused set aside."""
