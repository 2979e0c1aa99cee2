"""Pages: they arrange components and hold no logic."""
