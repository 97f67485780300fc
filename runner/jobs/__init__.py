"""What a job means: pure, a room a capability."""
