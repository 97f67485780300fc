"""A backup disk on its host: its line in fstab, the folder under its mount, the identity that its stores keep."""
