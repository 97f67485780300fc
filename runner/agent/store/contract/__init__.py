"""The options of the verbs of a store, and their answers. A file a verb: a start makes what it needs and no more."""
