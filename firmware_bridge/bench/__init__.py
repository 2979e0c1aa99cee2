"""What an integrator sees at the bench: live feeds, findings, settings; no command line."""
