"""What the disk says about itself to people who have never seen this tool."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from typing import NamedTuple

from .. import durable
from ..host.mounts import mount_of, mounts, uuid_of
from ..store import inventory
from ..store.layout import Store, read_json
from . import restore_script
from .readme_text import TEXT

_DUMPS = "srv/babase_database/postgres"


class Known(NamedTuple):
    """What fills the README in; "" for what is not known. `inside` is the store's folder on its disk."""

    inside: str
    uuid: str = ""
    host: str = ""
    system: str = ""
    dumps: str = ""


def keep(store: Store) -> None:
    """Write README.txt and restore.sh where they are not there, or say something else.

    A disk without room for them stops nobody: the next seal tries again.
    """
    for name, text in (("README.txt", text_for(_known(store))), ("restore.sh", restore_script.TEXT)):
        path = store.runner / name
        with contextlib.suppress(OSError):
            if not _says(path, text):
                durable.write_file(path, text.encode("utf-8", "backslashreplace"), 0o644)


def text_for(known: Known) -> str:
    """The README. Lines that begin with four spaces are commands, good as they are; no other line does."""
    disk = f"UUID={known.uuid}" if known.uuid else "/dev/DISK"
    store = "/mnt/disk" + known.inside.rstrip("/")
    dumps = f'"$store/latest"/{shlex.quote((known.dumps or _DUMPS).strip("/"))}'
    of = f", of {known.host}" if known.host else ""
    running = f", which ran {known.system}" if known.system else ""
    values = {"disk": disk, "store": shlex.quote(store), "dumps": dumps, "of": of, "running": running}
    text = TEXT
    for word, value in values.items():
        # A line feed in a name would make a command of what comes after it.
        text = text.replace(f"@{word}@", value if value.isprintable() else ascii(value)[1:-1])
    return text


def _known(store: Store) -> Known:
    mount = mount_of(store.root, mounts())
    inside = str(store.root)
    uuid = ""
    if mount:
        below = str(store.root.relative_to(mount.point))
        inside = (
            f"/{mount.root}/{'' if below == '.' else below}".replace("//", "/").replace("//", "/").rstrip("/")
        )
        uuid = uuid_of(mount) if mount.source.startswith("/dev/") and mount.local else ""
    newest = inventory.newest(store)
    if newest is None:
        return Known(inside, uuid)
    facts, record = read_json(newest / inventory.FACTS), read_json(store.record(newest.name))
    dumps = [str(one) for one in facts.get("dumps", ())]
    return Known(
        inside, uuid, str(record.get("host", "")), str(facts.get("system", "")), dumps[0] if dumps else ""
    )


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8", "backslashreplace")
    except OSError:
        return False
