"""From a user's file to a table."""
