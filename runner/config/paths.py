"""Paths, as people write them in jobs.toml: what is wrong with one, and what to write."""

from __future__ import annotations

import posixpath
import re

from runner.config.remedy import quoted

# host:/path, and the addresses that end in a path on that host; what follows rsync://host/ or http://host/ is none.
_REMOTE = re.compile(r"(?:[^/\s]{2,}:(?!//)|(?:file|nfs|scp|sftp|ssh)://[^/]*(?=/))(/.*)")
_DISK = re.compile(r"(?:sd|vd|xvd|hd)[a-z]+[0-9]*|(?:nvme[0-9]+n|mmcblk|md|loop)[0-9]+(?:p[0-9]+)?|dm-[0-9]+")
_NAMED = re.compile(r"(UUID|LABEL|PARTUUID|PARTLABEL)=\"?([A-Za-z0-9_-][A-Za-z0-9_.-]*)\"?")


def plain(text: str) -> str:
    """Give a path below '/' or below a folder back that is written in the shortest way; ValueError says how that is."""
    if text.startswith("/"):
        return below(text)
    return _plain(text)


def _plain(text: str) -> str:
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
    if not text or text.startswith("/"):
        return text
    stripped = text.strip()
    if remote := _REMOTE.fullmatch(stripped):
        raise ValueError(f"is more than a path: write {_clear(remote[1]) or 'the path alone'}")
    if "://" in text:
        raise ValueError("is an address: write the path of a file or folder on that host")
    whole = stripped if stripped.startswith("/") else f"/{stripped}"
    raise ValueError(f"does not begin with '/': write {_clear(whole) or 'all of the path'}")


def _clear(path: str) -> str:
    """The path as TOML, in the shortest way; "" where it leads somewhere else than it says, or nowhere."""
    unclear = {".", ".."} & set(path.split("/")) or {":", "\\", "$"} & set(path) or not path.strip("/")
    return "" if unclear else quoted(_short(path))


def absolute(text: str) -> str:
    """Give a path from '/' back that is written in the shortest way; ValueError says what to write."""
    return _plain(rooted(text))


def below(text: str) -> str:
    """Give the path of something below '/' back; ValueError says what is wrong with another."""
    if text.startswith("/") and _short(text) == "/":
        raise ValueError("is all of the host: write a path below it")
    return absolute(text)


def device(text: str) -> str:
    """Give the path of a device back; ValueError says what is wrong with another."""
    if _DISK.fullmatch(text):
        raise ValueError(f"is no path: write {quoted(f'/dev/{text}')}")
    if named := _NAMED.fullmatch(text):
        raise ValueError(f"is no path: write {quoted(f'/dev/disk/by-{named[1].lower()}/{named[2]}')}")
    if text and not text.strip().startswith(("/", "dev/")):
        raise ValueError("is no path: write its path below /dev")
    return below(text)


def whole(text: str) -> str:
    """Give the path of a file or of a whole folder back; ValueError for a pattern, and for what is no path."""
    if "*" in text or "?" in text:
        raise ValueError(
            "is a pattern: write each file or folder itself; a folder, such as '/var/cache', stands for all below it"
        )
    return below(text)
