"""What the verbs of this room take and answer."""
