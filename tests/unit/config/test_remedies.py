"""One cause in jobs.toml is one problem, in its line, and what it says to write is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.config.load import load
from runner.jobs.catalogue import KINDS
from runner.model.errors import ConfigError

EXAMPLE = (Path(__file__).parents[3] / "jobs.toml").read_text()
BACKUP = '[jobs.backup-papio]\nkind      = "snapshot"\n'
SERVER = '[hosts.backup-server1]\naddress  = "192.168.199.2" '


def told(text: str, folder: Path) -> tuple[str, ...]:
    """The problems of a jobs.toml; none where it is taken."""
    path = folder / "jobs.toml"
    path.write_text(text)
    try:
        load(path, kinds=KINDS)
    except ConfigError as error:
        return error.problems
    return ()


ONE = {
    "hosts by another name": ("[hosts.", "[servers.", "servers: there is no key 'servers' here; it is called 'hosts' here"),
    "stores by another name": ("[stores.", "[repositories.", "there is no key 'repositories' here; it is called 'stores' here"),
    "a kind in capitals": ('"snapshot"\nhost      = "papio"', '"Snapshot"\nhost = "papio"', "there is no kind 'Snapshot'; did you mean 'snapshot'?"),
    "a number for a time": (BACKUP, f"{BACKUP}timeout = 3600\n", "timeout: 3600 is not a text in quotes: write \"3600s\" or"),
    "all in a list": ('filesystems = "all"', 'filesystems = ["all"]', 'filesystems: "all" stands without brackets'),
    "tables of a list": ("[people]", "[[people]]", "people: a list is not a table: write its [name] in single brackets"),
    "an umlaut": ('host      = "papio"\nstore', 'host = "Bücher"\nstore', "host: 'Bücher' is not a name"),
    "letters that look like ours": ('host      = "papio"\nstore', 'host = "p\u0430pio"\nstore', r"host: 'p\u0430pio' is not a name"),
    "ssh's own words": (SERVER, f"[hosts.backup-server1]\nssh_port = 22\n{SERVER[SERVER.index('address'):]}", "ssh_port' here; say port = ..."),
    "a host's table misspelt": ("[hosts.papio]", "[hosts.paipo]", "hosts.paipo: site, sandbox, stores and jobs speak of 'papio': did you mean [hosts.papio]?"),
    "a store's table misspelt": ("[stores.papio]", "[stores.papoi]", "stores.papoi: jobs speak of 'papio': did you mean [stores.papio]?"),
    "no kind": (BACKUP, '[jobs.backup-papio]\n', 'jobs.backup-papio.kind: is missing: one of "snapshot", "dump", "prune", '),
    "no host": ('host      = "backup-server1"\npath', "path", 'stores.papio.host: is missing: one of "papio", "backup-server1"'),
    "no controller": ('controller = "papio"', "", 'site.controller: is missing: one of "papio", "backup-server1"'),
    "no store": ('store    = "papio"\nschedule = "30 6', 'schedule = "30 6', 'purge-papio.store: is missing: one of "papio", "backup-server1"'),
    "no disk": ('kind      = "disk"\ndisk      = "papio-snapshots"', 'kind = "disk"', 'jobs.disk-papio.disk: is missing: say disk = "papio-snapshots"'),
    "an address without its list": ('admin   = ["root@localhost"]', 'admin = "me@x.org"', "people.admin: 'me@x.org' is not a list: write [\"me@x.org\"]"),
    "words without their list": ('admin   = ["root@localhost"]', 'admin = "root at localhost"', "people.admin: 'root at localhost' is not a list, such as [\"root@localhost\"]"),
    "no path": ('path      = "/srv/backups/papio"\n', "", 'stores.papio.path: is missing: say path = "/srv/backups/papio", for instance'),
    "a path from nowhere": ('path      = "/srv/backups/papio"', 'path = "srv/backups/papio"', "stores.papio.path: 'srv/backups/papio' does not begin with '/': write \"/srv/backups/papio\""),
    "a device without its folder": ('"/dev/disk/by-id/usb-Example_Backup_Disk-0:0-part1"', '"sdb1"', "device: 'sdb1' is no path: write \"/dev/sdb1\""),
    "a time in words": ('"15 3 * * *"', '"every day at 3:15"', "'every day at 3:15' is not the five fields of a crontab line: write '15 3 * * *'"),
    "a time in other words": ('"15 3 * * *"', '"when it is quiet"', "minute, hour, day, month, weekday, such as '15 3 * * *' for 3:15 every day"),
    "an address in words": ('admin   = ["root@localhost"]', 'admin = ["root at localhost"]', "people.admin[1]: 'root at localhost' is not a mail address: write \"root@localhost\""),
    "a person's name": ('admin   = ["root@localhost"]', 'admin = ["Karl Pinc"]', "people.admin[1]: 'Karl Pinc' is not a mail address, such as 'root@localhost'"),
    "counts of two periods": ("min = 30, max = 400, free_space = \"5%\", free_inodes = \"5%\" }\n\n[stores.b", "min = 30, max = 400, daily = 7, weekly = 4 }\n\n[stores.b", 'there are no keys \'daily\' and \'weekly\' here; the store\'s retention says it: thin = "daily 7, weekly 4", beside min and max'),
    "a jump to itself": (SERVER, f'[hosts.backup-server1]\njump = "backup-server1"\n{SERVER[SERVER.index("address"):]}', "is this host itself"),
    "a jump to its address": (SERVER, f'[hosts.backup-server1]\njump = "ops@192.168.199.2"\n{SERVER[SERVER.index("address"):]}', "is this host itself"),
    "a letter of other crons": ('"15 3 * * *"', '"15 3 L * *"', "schedule: '15 3 L * *' has 'L'"),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE)
def test_one_cause_is_one_problem(case: str, tmp_path: Path) -> None:
    old, new, said = ONE[case]
    assert old in EXAMPLE
    (problem,) = told(EXAMPLE.replace(old, new), tmp_path)
    assert said in problem


def test_a_wrong_item_of_a_list_has_the_line_that_it_stands_in(tmp_path: Path) -> None:
    (problem,) = told(f'{BACKUP}exclude = [\n  "/a", # x\n  "/b",\n  "c",\n]\n'.join(EXAMPLE.split(BACKUP)), tmp_path)
    line = EXAMPLE[: EXAMPLE.index(BACKUP)].count("\n") + BACKUP.count("\n") + 4
    assert problem.startswith(f"jobs.toml:{line}: jobs.backup-papio.exclude[3]: 'c' does not begin with '/'")


def test_what_a_wrong_table_says_is_said(tmp_path: Path) -> None:
    """The one job that has the name right is left out of the checks, and is no less right."""
    text = EXAMPLE.replace('"papio"', '"paipo"').replace("\npapio = [", "\npaipo = [")
    wrong, *others = told(text.replace(f'{BACKUP}host      = "paipo"', f'{BACKUP}host = "papio"\nport = 1'), tmp_path)
    assert "there is no host 'paipo'; did you mean 'papio'?" in wrong
    assert len(others) > 10


@pytest.mark.parametrize(
    ("old", "new"), [('"15 3 * * *"', '"  15  3 * * *  "'), ('"15 3 * * *"', '"15 3 * Jan-Mar mon"')]
)
def test_blanks_and_names_in_a_schedule_are_no_mistake(old: str, new: str, tmp_path: Path) -> None:
    assert told(EXAMPLE.replace(old, new), tmp_path) == ()
