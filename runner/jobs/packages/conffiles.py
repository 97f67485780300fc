"""Configuration files that packages and people both have a version of."""

from __future__ import annotations

_SAVED = ".rpmsave"


def words(path: str, *, gone: bool) -> str:
    """What to do about `path`, which is beside a configuration file: a package's new one, or what was there before.

    `gone`: there is no file of the name that it is beside. Somebody removed it, and package managers respect that.
    """
    file = path.rpartition(".")[0]
    if path.endswith(_SAVED):
        return f"{file} {'is gone' if gone else 'is the new one'}; what was there is {path}"
    return (
        f"{file} was removed, and stays so; the new one is {path}" if gone else f"{file} stays; compare it with {path}"
    )
