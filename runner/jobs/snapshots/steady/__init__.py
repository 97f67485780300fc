"""How a snapshot is made of the one before: cloned, looked at, sent apart, composed."""
