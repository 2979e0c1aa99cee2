"""The desk itself: screen lock, idle time, and the key combination that pauses."""
