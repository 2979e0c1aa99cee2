"""The supervisor's screen: reads; writes only decisions and the audit of its own views."""
