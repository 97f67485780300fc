"""Keep a small site safe: read jobs.toml, show the plan, run exactly that plan, tell people."""

__version__ = "0.1.0"
