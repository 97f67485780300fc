"""An installation that outlives its connection: begun here, recorded here, taken up again."""
