"""Whether somebody is at the desk: a locked screen, an idle desk, the key that pauses."""
