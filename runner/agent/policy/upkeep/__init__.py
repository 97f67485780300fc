"""What a key may have of a host beside its stores: its packages and its power, as far as a person allowed that."""
