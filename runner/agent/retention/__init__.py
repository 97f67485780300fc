"""Snapshots that go: expired to the trash, counted, audited while they stay."""
