"""What somebody with a key may ask of this host, whatever he says: the one forced command behind it, and its policy."""
