"""What is in a dump, as pg_restore tells it: pure."""
