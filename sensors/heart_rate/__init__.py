"""Heart rate from a Bluetooth LE headset: pure parsing apart from the radio; see README.md beside this file."""
