"""The options of `clone` and `compose`, and their answers. A file a verb: a start makes what it needs and no more."""
