"""Jobs of kind `access`: who came into a host."""
