"""What the verbs of a host take, and what they answer. A file a verb: a start makes what it needs and no more."""
