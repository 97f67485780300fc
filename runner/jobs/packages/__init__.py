"""Jobs of kinds `updates` and `upgrade`, for every family of packages."""
