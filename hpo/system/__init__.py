"""The machine: files, stops, retries, hardware, counts."""
