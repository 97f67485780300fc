"""What a job means: one file a kind, pure."""
