"""README.txt on the disk, for people who have never seen this tool."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import durable, regular
from ..answer import Refused
from ..host.mounts import mount_of, mounts, uuid_of
from ..store import inventory
from ..store.layout import StoreFolder, read_json
from . import restore_script

_DUMPS = "srv/babase_database/postgres"

TEXT = r"""WHAT IS ON THIS DISK

Each folder in this store whose name is a time, such as 2026-11-23T081500Z, is a complete copy of one
computer as it was then. The time is UTC. The link "latest" leads to the newest@of@@running@.
You need no special program to read them: they are ordinary files, in the places where they were.

Files that did not change between two copies are on the disk only once and appear in both (hard links).
So NEVER change anything in these folders: a change to a file shows in every copy that shares it.
Copy out what you need and work on that.

Lines below that begin with four spaces are commands for a root shell, in this order, as they are. You
need a Linux with rsync (any rescue system has it); nothing of the tool that wrote this.

1. THE DISK, READ ONLY

    mkdir -p /mnt/disk
    mount -o ro @disk@ /mnt/disk
    store=@store@
    sh "$store/.runner/restore.sh" list

(`lsblk -f` shows the disks there are. If this one must be repaired first: fsck, while it is not mounted.)

2. A FILE OR A FOLDER

    sh "$store/.runner/restore.sh" latest /etc /root/restored/etc

Another copy than the newest: its name in place of "latest". Put things somewhere else first, look at
them, and then move them to their places. Without the script it is, with a slash at the end of both,
"rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids --modify-window=-1 $store/latest/etc/
/root/restored/etc/".

3. WHOSE FILES THEY ARE

Owners and groups are kept as numbers. They belong to the users of the computer that was copied; names
that "ls -l" shows are those of the computer you sit at. The numbers, and the names that go with them:

    ls -ln /root/restored/etc
    cut -d: -f1,3 "$store/latest/etc/passwd"
    cut -d: -f1,3 "$store/latest/etc/group"

4. A WHOLE COMPUTER

Start the new computer from a rescue system, in the same manner as the old one (BIOS or EFI). What the
old one was made of is in the folder .runner/about, for each copy: devices.txt (disks, partitions,
filesystems with their UUIDs and labels), partitions-*.sfdisk (for "sfdisk NEW-DISK < FILE"), fstab.txt,
mounts.txt, network.txt, packages.txt, and if there were any raid.txt, lvm.txt and crypt.txt. To see them:

    name=$(readlink "$store/latest")
    ls "$store/.runner/about/$name"

Make partitions and filesystems with the same UUIDs and labels as the old ones ("mkfs.ext4 -U UUID -L LABEL
PARTITION", "mkfs.xfs -m uuid=UUID", "mkswap -U UUID"), or correct /etc/fstab afterwards. Mount the one for
/ at /mnt/newroot and the others in their places below it, outer ones first. Then

    mkdir -p /mnt/newroot
    sh "$store/.runner/restore.sh" latest / /mnt/newroot

What no copy holds must be there for the system to start: empty folders to mount on, and the boot loader.
Not everything here can be known, so this is for you to adapt:

   mkdir -p /mnt/newroot/proc /mnt/newroot/sys /mnt/newroot/dev /mnt/newroot/run /mnt/newroot/tmp
   chmod 1777 /mnt/newroot/tmp
   for one in dev proc sys run; do mount --rbind /$one /mnt/newroot/$one; done
   chroot /mnt/newroot
   Debian:   grub-install NEW-DISK; update-grub; update-initramfs -u -k all
   Red Hat:  grub2-install NEW-DISK; grub2-mkconfig -o /boot/grub2/grub.cfg; dracut -f --regenerate-all
   With EFI reinstall the boot loader's packages instead (grub2-efi-x64, shim-x64); with SELinux: touch /.autorelabel

5. THE DATABASES

Dumps of PostgreSQL databases are files of the copied computer like any others; a README.txt beside them
says more, and the setting "to" in .runner/jobs.toml where they are. PostgreSQL of the same version or
a newer one must be installed and running, and EMPTY: on a server in use, follow the README.txt instead.
First the folders of tablespaces, where there are any (what an old server left in them is moved aside), then
roles and tablespaces. No error is to be expected. What follows has the rights of the server's superuser.

    dumps=@dumps@
    roles=$(ls "$dumps"/globals/*.sql | tail -n 1)
    sed -n "s/^CREATE TABLESPACE .* LOCATION '\(.*\)';$/\1/p" "$roles" | while IFS= read -r place; do
      mkdir -p "$place" && chown postgres: "$place" && chmod 700 "$place"
      for one in "$place"/PG_[0-9]*; do [ ! -e "$one" ] || mv "$one" "$place/before-${one##*/}"; done
    done
    only='/^CREATE ROLE postgres;$/{N;s/^CREATE ROLE postgres;\n\(ALTER ROLE postgres WITH \)/\1/;}'
    sed "$only" "$roles" |
      su postgres -s /bin/sh -c 'psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres'

Then the newest dump of each database; one that has no .json beside it is not complete, and is left out.

    for folder in "$dumps"/databases/*/; do
      record=$(ls "$folder" | grep '\.json$' | tail -n 1)
      case $record in '') continue ;; esac
      case $folder in */databases/postgres/) create='' ;; *) create='--create' ;; esac
      echo "$folder${record%.json}.dump"
      restore="env PGOPTIONS=-cdefault_transaction_read_only=off pg_restore --exit-on-error $create --dbname=postgres"
      su postgres -s /bin/sh -c "$restore" < "$folder${record%.json}.dump"
    done
    su postgres -s /bin/sh -c 'vacuumdb --all --analyze-only --quiet'

6. WHEN IT IS THERE

Compare: "rsync --archive --hard-links --acls --xattrs --numeric-ids --checksum --dry-run --itemize-changes
$store/latest/etc/ /root/restored/etc/" says nothing if nothing differs. The rows that each table had are in
the .json beside each dump, under "tables". Then make backups of the new computer, to another disk.

7. THE OTHER FOLDERS

.runner: this text; restore.sh; jobs.toml, which says what was copied from where and when; about/, what the
copied computer was; records/, for each copy when it was made and from what, what could not be read
(exceptions), and checksums of the files that were new in it (zcat ....sums.gz).
.partial, .incoming: copies that were interrupted; they are NOT complete. .trash: copies that are being removed.
.aside: whole copies that a person took out of the count.
"""


class Known(NamedTuple):
    """What fills the README in; "" for what is not known. `inside` is the store's folder on its disk."""

    inside: str
    uuid: str = ""
    host: str = ""
    system: str = ""
    dumps: str = ""


def keep(store: StoreFolder) -> None:
    """Write README.txt and restore.sh where they are missing or differ.

    A disk without room for them stops nobody: the next seal tries again.
    """
    for name, text in (("README.txt", text_for(_known(store))), ("restore.sh", restore_script.TEXT)):
        path = store.runner / name
        with contextlib.suppress(OSError):
            if not _says(path, text):
                durable.write_file(path, text.encode("utf-8", "backslashreplace"))


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


def _known(store: StoreFolder) -> Known:
    mount = mount_of(store.root, mounts())
    inside = str(store.root)
    uuid = ""
    if mount:
        below = str(store.root.relative_to(mount.point))
        inside = f"/{mount.root}/{'' if below == '.' else below}".replace("//", "/").replace("//", "/").rstrip("/")
        uuid = uuid_of(mount) if mount.source.startswith("/dev/") and mount.local else ""
    newest = inventory.newest(store)
    if newest is None:
        return Known(inside, uuid)
    facts: Mapping[str, Any] = {}
    record = read_json(store.record(newest.name))
    with contextlib.suppress(OSError, Refused):
        facts = inventory.facts(newest)
    dumps = [str(folder) for folder in facts.get("dumps", ())]
    return Known(inside, uuid, str(record.get("host", "")), str(facts.get("system", "")), dumps[0] if dumps else "")


def _says(path: Path, text: str) -> bool:
    try:
        return regular.content(path) == text.encode("utf-8", "backslashreplace")
    except OSError:
        return False
