"""runner-store, the program at the disk: standard library only, Python 3.9+, shipped as one file."""
