"""What the server says about itself: figures, metrics, health and status."""
