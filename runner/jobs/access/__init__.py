"""Jobs of kind `access`: who logged in to a host."""
