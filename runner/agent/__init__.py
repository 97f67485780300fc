"""The program on a host: standard library only, Python 3.9, shipped as one file."""
