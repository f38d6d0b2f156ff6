"""A study's settings, and the door to the catalogues."""
