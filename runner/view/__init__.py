"""Values to text and JSON, pure."""
