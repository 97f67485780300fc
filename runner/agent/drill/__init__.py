"""A restore that is tried for real: what came back is compared with what was sealed."""
