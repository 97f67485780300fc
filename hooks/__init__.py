"""Bundled plugins; each is used when jobs.toml has a table of its name."""
