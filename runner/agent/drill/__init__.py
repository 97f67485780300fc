"""A restore that is tried for real: what was restored is compared with what was sealed."""
