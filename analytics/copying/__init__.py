"""Everything from one store into another, resumable, with a count that proves it."""
