"""Where a host is, as people write it; each of its parts has a key of its own."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from runner.config import remedy

# [scheme://][user@]host[:port][:][/folder]
_PARTS = re.compile(r"(?:[a-z]+://)?(?:([^\s@/]+)@)?(\[[^]\s]*\]|[^\s@/]+?)(?::([0-9]{1,5}))?(?::?/\S*)?")

_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_MAIL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._%+'/=-]*@[A-Za-z0-9][A-Za-z0-9.-]*")
_AT = re.compile(r"\s*[\[({<]\s*(?:at|@)\s*[\])}>]\s*|\s+at\s+|\s*@\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*[\[({<]\s*dot\s*[\])}>]\s*|\s+dot\s+", re.IGNORECASE)


def mail(text: str) -> str:
    """Give a mail address back; ValueError where one is written for people, with the address in it."""
    named = re.fullmatch(r"[^<>]*<\s*(?:mailto:)?([^<>\s]+)\s*>\s*", text)
    plain = named[1] if named else _DOT.sub(".", _AT.sub("@", text.strip().removeprefix("mailto:")))
    if plain != text and _MAIL.fullmatch(plain):
        raise ValueError(f"is not a mail address: write {remedy.quoted(plain)}")
    return text


def address(text: str) -> str:
    """Give a host's name or IP address back; ValueError says where the rest belongs."""
    user, host, port = _parts(text)
    if host != text:
        more = [f"user = {user!a}"] * bool(user) + [f"port = {port}"] * bool(port)
        beside = f", and beside it {' and '.join(more)}" if more else ""
        raise ValueError(f"is more than an address: write {host!a}{beside}")
    if (ip := _ip(host)) and (ip.is_unspecified or ip.is_multicast or host == "255.255.255.255"):
        raise ValueError("is no address of one host")
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
    if ("[" in text) != ("]" in text):
        raise ValueError("has one bracket of a pair: write the address without brackets")
    match = _PARTS.fullmatch(text)
    user, host, port = match.groups("") if match else ("", text, "")
    # The numbers of an IPv6 address look like a port.
    whole = text.rpartition("@")[2]
    if _ip(whole):
        host, port = whole, ""
    host = host.removeprefix("[").removesuffix("]")
    ip = _ip(host)
    if ip is None and host.endswith(":"):
        raise ValueError("ends in a colon: take it out")
    if ip is None and ":" in host:
        raise ValueError("has a colon and is no IPv6 address: write the name or the address alone")
    if port and not 1 <= int(port) <= 65535:
        raise ValueError(f"has the port {port}, and ports go from 1 to 65535")
    # No name ends in a number (RFC 1123), so this was to be one.
    if ip is None and re.fullmatch(r"[0-9.]+", host):
        raise ValueError("is not an IP address: four numbers from 0 to 255, with dots between them")
    if isinstance(ip, IPv6Address) and (ip.is_link_local or ip.scope_id):
        raise ValueError("is an address on one cable only: write another address of that host, or its name")
    # Of what can be no host or no user it is not known which part is which.
    known = _HOST.fullmatch(host) and (not user or _USER.fullmatch(user))
    return (user, host, port) if known else ("", text, "")


def _ip(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
