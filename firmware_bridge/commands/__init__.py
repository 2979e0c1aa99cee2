"""The verbs of `firmware-bridge`, a module each."""
