"""What the disk says about itself to people who have never seen this tool."""

TEXT = """\
WHAT IS ON THIS DISK

Each folder in this store whose name is a time, such as 2026-11-23T081500Z, is a complete copy of one
computer as it was then. The time is UTC. The link "latest" leads to the newest. You need no special
program to read them: they are ordinary files, in the places where they were on that computer.

Files that did not change between two copies are on the disk only once and appear in both (hard links).
So NEVER change anything in these folders: a change to a file shows in every copy that shares it.
Copy out what you need and work on that.

Owners and groups are kept as numbers. They belong to the users of the computer that was copied, and
"ls -ln" shows them as they are. Names that "ls -l" shows are those of the computer you sit at.

TO GET SOMETHING BACK, as root, for example the folder /srv/data:

    rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids \\
        /WHERE/THIS/STORE/IS/latest/srv/data/  /somewhere/else/data/

Put it somewhere else first, look at it, and then move it to its place.

THE OTHER FOLDERS

    .runner    this text, and for each copy a record: when it was made and from what, what could not be
               read (exceptions), and checksums of the files that were new in it (zcat ....sums.gz)
    .partial   copies that were interrupted; they are NOT complete
    .trash     copies that are being removed
"""
