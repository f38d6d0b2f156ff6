"""What a reader sees of studies: rows, status, the dry run, the summary."""
