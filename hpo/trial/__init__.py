"""A trial's record."""
