"""Jobs of kinds `reboot` and `halt`: what must be done before, and be back after."""
