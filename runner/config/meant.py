"""Words that people bring from other programs, and what they are called in jobs.toml."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.config import quantity, remedy

_KINDS: Mapping[str, str] = {
    word: kind
    for kind, words in {
        "snapshot": "backup copy rsync archive mirror sync rsnapshot borg restic files",
        "prune": "purge rotate rotation expire forget cleanup clean delete thin retention",
        "audit": "verify scrub checksum integrity bitrot",
        "check": "monitor status watch health",
        "drill": "test restore restore-test verify-restore rehearsal proof",
        "dump": "database pg_dump postgres postgresql sql db",
        "disk": "format mkfs fsck mount filesystem",
        "updates": "update security patch unattended-upgrades",
        "upgrade": "dist-upgrade full-upgrade packages",
        "reboot": "restart",
        "halt": "shutdown poweroff off",
        "access": "login logins auth ssh security-log logs",
    }.items()
    for word in words.split()
}
_SECTIONS: Mapping[str, str] = {
    word: section
    for section, words in {
        "hosts": "server servers machine machines node nodes client clients computers",
        "stores": "repository repositories repo repos storage storages destinations targets backups",
        "jobs": "task tasks cron crons",
        "disks": "drive drives volume volumes devices",
        "hooks": "plugins notifications mail smtp",
        "people": "contacts users admins emails recipients persons",
        "site": "global globals general settings config defaults",
    }.items()
    for word in words.split()
}
_PERIODS = ("daily", "weekly", "monthly", "yearly")
# Where a table has one of these keys, these words of others mean what the sentence says.
_KEPT = ("retention", "min", "store")
_KEYS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (_KEPT, "`min` and `max` of the store's retention say it", "keep keep_last max_snapshots snapshots count rotate"),
    (_KEPT, "`min` of the store's retention says it", "keep_min minimum keep_at_least"),
    (_KEPT, "`max` of the store's retention says it", "keep_max maximum keep_at_most"),
    (_KEPT, "`per_day` of the store's retention says it", "keep_hourly hourly"),
    (_KEPT, "`free_space` of the store's retention says it", "min_free reserve free keep_free"),
    (("exclude",), "say exclude = [...], a list of paths", "excludes excluding ignore skip filter filters"),
    (
        ("filesystems",),
        "all of the host is copied, or the mount points in filesystems = [...]",
        "source sources src path paths include includes folders from",
    ),
    (("store",), "store = ... says where to", "destination dest target repository repo"),
    (
        ("schedule",),
        'when it is due is said by schedule = "15 3 * * *"',
        "cron time at when hour on_calendar oncalendar interval every frequency",
    ),
    (("after",), "what it waits for is said by after = [...]", "depends depends_on requires needs wait_for"),
    (("schedule",), "without its schedule a job runs only when it is named", "enabled disabled active"),
    (("kind", "controller"), "who hears what is said in [people]", "mail email mailto notify recipients admin"),
    (("address",), "say address = ...", "hostname host ip ip_address addr"),
    (("exclude",), "say exclude = [...], a list of paths", "exclude_patterns exclude_paths exclude_from"),
    (("port",), "say port = ...", "ssh_port"),
    (("key",), "say key = ...", "identity_file identity ssh_key key_file private_key"),
    (("user",), "say user = ...", "ssh_user username login remote_user"),
    (("kind", "controller"), "`runner plan` shows what would be done", "dryrun simulate"),
)


def kind(word: str) -> str:
    """The kind of job that is called `word` elsewhere; "" where none is."""
    return _KINDS.get(word.lower(), "")


def section(word: str) -> str:
    """The part of jobs.toml that is called `word` elsewhere; "" where none is."""
    return _SECTIONS.get(word.lower(), "")


def thinned(table: Mapping[str, object], known: Collection[str]) -> tuple[tuple[str, ...], str]:
    """The keys of a table that count periods, as other programs have them, and the one `thin` that says it all.

    No keys where the table, which has the keys `known`, is about something else.
    """
    if not any(needed in known for needed in _KEPT):
        return (), ""
    others = [(word, _squashed(word)) for word in table if word not in known]
    keys = {word: period for word, plain in others for period in _PERIODS if plain in (period, f"keep{period}")}
    counts = {period: _count(table[word]) for word, period in reversed(keys.items())}
    own = _own(table.get("thin"))
    kept = own | {period: counts[period] for period in _PERIODS if period in counts and period not in own}
    thin = ", ".join(f"{period} {count}" for period, count in kept.items() if count != "0")
    if "" in kept.values():
        sentence = 'the store\'s retention says it, such as thin = "daily 7, weekly 4", beside min and max'
    elif thin:
        sentence = f"the store's retention says it: thin = {remedy.quoted(thin)}, beside min and max"
    else:
        sentence = "a period of which none are kept is left out"
    return tuple(keys), sentence


def _own(thin: object) -> dict[str, str]:
    """The count of each period that a table's own `thin` gives; none where it cannot be read."""
    try:
        parts = quantity.plain_thinning(thin).split(", ") if isinstance(thin, str) else []
    except ValueError:
        return {}
    return {period: count for period, _, count in (part.partition(" ") for part in parts)}


def _count(value: object) -> str:
    """A count as `thin` has it, "0" for none; "" where it is not plain what was meant. -1 is borg's word for all."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if text in ("all", "-1"):
        return "all"
    return str(int(text)) if text.isascii() and text.isdigit() and len(text) <= 4 else ""


def key(word: str, known: Collection[str]) -> str:
    """What to write in place of a key of other programs, in a table that has the keys `known`; "" where none is."""
    plain = _squashed(word)
    for needs, sentence, words in _KEYS:
        if plain in map(_squashed, words.split()) and any(needed in known for needed in needs):
            return sentence
    return ""


def _squashed(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")
