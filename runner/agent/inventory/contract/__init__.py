"""What the verbs of an inventory take and answer. A file a verb: a start makes what it needs and no more."""
