"""What a forecast is worth: tasks, losses, metrics, references."""
