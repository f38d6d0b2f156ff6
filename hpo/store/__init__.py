"""Where records are kept: trial files and the database, held against each other."""
