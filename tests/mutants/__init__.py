"""Wrong programs made on purpose, to see whether the tests notice; make mutants."""
