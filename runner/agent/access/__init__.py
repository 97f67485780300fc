"""Who logged in, who was refused, who became root: read from the logs of this host."""
