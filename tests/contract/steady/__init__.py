"""Whole days of a store, with whatever happens in the middle of them."""
