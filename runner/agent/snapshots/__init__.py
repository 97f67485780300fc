"""A snapshot from its empty folder to its seal, and what can be read in it."""
