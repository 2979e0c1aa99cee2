"""Who is in which team, what they consented to, and who was erased."""
