"""Parts of a page, each drawn from plain values."""
