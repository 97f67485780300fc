"""The chain of a store: what happened in it, one line an event, each with the digest of the line before."""
