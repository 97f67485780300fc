"""A new snapshot out of the newest and of what differs: cloned, composed, never written where sealed inodes are."""
