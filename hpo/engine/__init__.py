"""A study from its config to its finished records."""
