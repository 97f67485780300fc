"""One job while it runs: what goes on beside what, and when it has to stop."""
