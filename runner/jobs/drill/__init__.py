"""Jobs of kind `drill`: a restore that is tried."""
