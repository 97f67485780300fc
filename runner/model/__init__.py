"""Values: what the site, a plan, facts and a run are. No I/O, no clock, no other floor."""
