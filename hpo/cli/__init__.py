"""The command line: a client of hpo.api; the only package that prints, takes signals or exits."""
