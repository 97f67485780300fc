"""Jobs of kinds `prune` and `audit`: what goes, and whether the rest is as it was sealed."""
