"""The options of the verbs of retention, and their answers. A file a verb: a start makes what it needs and no more."""
