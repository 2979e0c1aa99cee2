"""An agent's rights over what is held about them: handed out, erased, and refused when it comes back."""
