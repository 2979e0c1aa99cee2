"""The verbs of `wellbeing` that belong to the server half: options in, one line or JSON out."""
