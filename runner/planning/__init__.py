"""Jobs and facts to a plan, and the plan's review. Pure."""
