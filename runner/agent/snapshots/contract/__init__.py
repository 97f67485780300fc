"""The options of the verbs of a snapshot, and their answers. A file a verb: a start makes what it needs and no more."""
