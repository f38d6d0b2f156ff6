"""What a trial will take: memory, operations, seconds."""
