"""Jobs of kinds `snapshot` and `check`, and what is restored from a snapshot."""
