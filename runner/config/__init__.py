"""jobs.toml to a Site: every problem at once, each with its line and a suggestion."""
