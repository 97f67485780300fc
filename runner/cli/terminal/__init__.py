"""What a terminal shows: lines, tables, how a run goes on."""
