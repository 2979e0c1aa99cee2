"""The verbs: options in, plain lines or JSON out."""
