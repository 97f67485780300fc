"""The verbs `look` and `settle`, on real trees."""
