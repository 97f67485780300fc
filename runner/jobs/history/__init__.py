"""Whether what a store says of its past goes on from what this runner has seen of it."""
