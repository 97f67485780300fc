"""A server of ours, played: it lets everybody in, and has a session for whoever asks."""

from __future__ import annotations

import paramiko  # type: ignore[import-untyped]


class Admitting(paramiko.ServerInterface):  # type: ignore[misc]
    """What it does with a command, or does not, is told by who inherits from it."""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Whoever comes."""
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def get_allowed_auths(self, username: str) -> str:
        """By key."""
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Any session."""
        return int(paramiko.common.OPEN_SUCCEEDED)
