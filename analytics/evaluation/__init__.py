"""How good the score and the alerts are, on recordings and on a simulated floor."""
