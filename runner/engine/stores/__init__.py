"""The parts of the journal about stores: what was written to them, and what is known of their past."""
