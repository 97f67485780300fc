"""What a host lets the runner do, whoever holds its key: pure."""
