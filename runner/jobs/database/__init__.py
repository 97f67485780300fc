"""Jobs of kind `dump`, and databases restored from their dumps."""
