"""For people who build headsets and modules."""
