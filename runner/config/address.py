"""Where a host is, as people write it; each of its parts has a key of its own."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

# [scheme://][user@]host[:port][:][/folder]
_PARTS = re.compile(r"(?:[a-z]+://)?(?:([^\s@/]+)@)?(\[[^]\s]*\]|[^\s@/]+?)(?::([0-9]{1,5}))?(?::?/\S*)?")


def address(text: str) -> str:
    """Give a host's name or IP address back; ValueError says where the rest belongs."""
    user, host, port = _parts(text)
    if host != text:
        more = [f"user = {user!a}"] * bool(user) + [f"port = {port}"] * bool(port)
        beside = f", and beside it {' and '.join(more)}" if more else ""
        raise ValueError(f"is more than an address: write {host!a}{beside}")
    return text


def jump(text: str) -> str:
    """Give [user@]address back; ValueError says where the rest belongs."""
    user, host, port = _parts(text)
    alone = f"{user}@{host}" if user else host
    if port:
        raise ValueError(
            f"has a port: give that host a table [hosts.NAME] with address = {host!a} and port = {port}, and say"
            " jump = 'NAME'"
        )
    if alone != text:
        raise ValueError(f"is more than a host or user@host: write {alone!a}")
    return text


def _parts(text: str) -> tuple[str, str, str]:
    """User, host and port of an address, "" for what it has not; ValueError where it is none at all."""
    match = _PARTS.fullmatch(text)
    user, host, port = match.groups("") if match else ("", text, "")
    # The numbers of an IPv6 address look like a port.
    whole = text.rpartition("@")[2]
    if _ip(whole):
        host, port = whole, ""
    host = host.removeprefix("[").removesuffix("]")
    ip = _ip(host)
    if isinstance(ip, IPv6Address) and (ip.is_link_local or ip.scope_id):
        raise ValueError("is an address on one cable only: write another address of that host, or its name")
    return user, host, port


def _ip(text: str) -> object:
    try:
        return ip_address(text)
    except ValueError:
        return None
