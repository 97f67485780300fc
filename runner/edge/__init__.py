"""The only I/O of the runner."""
