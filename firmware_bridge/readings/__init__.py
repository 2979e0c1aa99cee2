"""From what a board says to readings: what is believed, and beats of its pulse; pure."""
