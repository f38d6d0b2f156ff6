"""Training one network: it knows torch and files of its own, and nothing of searches."""
