"""What differs between a source and its newest snapshot, by a record of the last scan that is kept at the source."""
