"""Study files: declarations only."""
