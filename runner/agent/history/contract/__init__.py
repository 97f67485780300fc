"""What verbs answer of a store's chain, and how it is asked for."""
