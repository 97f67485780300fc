"""Jobs of kind `disk`: what a disk must be, and the programs that make it so."""
