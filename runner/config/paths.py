"""Paths, as people write them in jobs.toml: what is wrong with one, and what to write."""

from __future__ import annotations

import posixpath
import re

from runner.config.remedy import quoted


def plain(text: str) -> str:
    """Give a path back that is written in the shortest way, from '/' or not; ValueError says how that is."""
    if ".." in text.split("/"):
        raise ValueError("has '..' in it: write the path that it leads to")
    short = _short(text)
    if short and text != short:
        what = "has '//' in it" if "//" in text else "ends in '/'" if text.endswith("/") else "has '.' in it"
        raise ValueError(f"{what}: write {quoted(short)}")
    return text


def _short(text: str) -> str:
    """The path without names that say nothing; "" where no name is left."""
    short = posixpath.normpath(text)
    return "" if short == "." else f"/{short.lstrip('/')}" if short.startswith("/") else short


def rooted(text: str) -> str:
    """Give a path from '/' back; ValueError says what is wrong with another, and what to write where that is plain."""
    if text.startswith("~"):
        raise ValueError("begins with '~': write that folder out, from '/'")
    remote = re.fullmatch(r"[^/\s]{2,}:(?://[^/]*)?(/.*)", text)
    if remote and ".." not in remote[1].split("/"):
        raise ValueError(f"is more than a path: write {quoted(_short(remote[1]))}")
    if text and not text.startswith("/"):
        stripped = text.strip()
        whole = stripped if stripped.startswith("/") else f"/{stripped}"
        # What begins in some folder, or has a drive or a variable, is not there with a / before it.
        unclear = {".", ".."} & set(whole.split("/")) or {":", "\\", "$"} & set(whole) or not whole.strip("/")
        raise ValueError(f"does not begin with '/': write {'all of the path' if unclear else quoted(_short(whole))}")
    return text


def absolute(text: str) -> str:
    """Give a path from '/' back that is written in the shortest way; ValueError says what to write."""
    return plain(rooted(text))


def below(text: str) -> str:
    """Give the path of something below '/' back; ValueError says what is wrong with another."""
    if text.startswith("/") and _short(text) == "/":
        raise ValueError("is all of the host: write a path below it")
    return absolute(text)


def device(text: str) -> str:
    """Give the path of a device back; ValueError says what is wrong with another."""
    if re.fullmatch(r"[a-z]+[a-z0-9]*", text):
        raise ValueError(f"is no path: write {quoted(f'/dev/{text}')}")
    if named := re.fullmatch(r"(UUID|LABEL|PARTUUID|PARTLABEL)=\"?([A-Za-z0-9_.-]+)\"?", text):
        raise ValueError(f"is no path: write {quoted(f'/dev/disk/by-{named[1].lower()}/{named[2]}')}")
    return below(text)


def whole(text: str) -> str:
    """Give the path of a file or of a whole folder back; ValueError for a pattern, and for what is no path."""
    if "*" in text or "?" in text:
        raise ValueError(
            "is a pattern: write each file or folder itself; a folder, such as '/var/cache', stands for all below it"
        )
    return below(text)
