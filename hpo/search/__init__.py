"""What to try next: forced configs, the space, TPE, pruning."""
