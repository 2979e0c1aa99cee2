"""The edge as a whole: one process, what runs beside it, what it says about itself."""
