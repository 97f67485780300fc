"""A stolen papio: whatever it asks with its key, nothing sealed changes, nothing else is read, and it is told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator

import pytest

from runner.agent.history.line import SEALED, parsed
from runner.agent.host.room import guard, short
from runner.hosts.transport import _PLACE
from tests.lab.images import ADDRESS, BACKUP, PAPIO, STORE
from tests.lab.machines import Lab
from tests.lab.policy.junk import OFFSETS, SHARED, asked, ended, holding, junk
from tests.lab.policy.thief import PLAN, PROGRAM, TOKEN, Thief, enrolled
from tests.lab.site import DATA, FILE, Runner

HERE = f"root@{ADDRESS[BACKUP]}"
PRUNE = """[jobs.prune-papio]
kind = "prune"
store = "papio"
[jobs.drill-papio]
kind = "drill"
store = "papio"
"""


@pytest.fixture(scope="module")
def thief(lab: Lab) -> Iterator[Thief]:
    made = Runner(lab=lab)
    made.settle(files=20)
    file = made.path(PAPIO, FILE)
    file.write_text(file.read_text().replace("min = 30", "min = 2") + PRUNE)
    key = enrolled(made)
    made.good("run", "backup-papio", "backup-backup-server1")
    made.days_pass(9)
    made.good("run", "backup-papio")
    made.lab.run(PAPIO, "mkdir", "-p", "/run/evil")
    made.path(PAPIO, "/run/evil/passwd").write_text("root::0:0::/:/bin/sh\n")
    yield Thief(runner=made, key=key)


@pytest.fixture(autouse=True)
def _untouched(thief: Thief) -> Iterator[None]:
    thief.look()
    yield
    thief.require_untouched()


def older(thief: Thief) -> str:
    return thief.runner.sealed()[0]


def newest(thief: Thief) -> str:
    return thief.runner.sealed()[-1]


@contextlib.contextmanager
def policy_of(thief: Thief, was: str, becomes: str) -> Iterator[None]:
    """A person has changed a line of the policy meanwhile."""
    policy = thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    text = policy.read_text()
    policy.write_text(re.sub(was, becomes, text))
    try:
        yield
    finally:
        policy.write_text(text)
        thief.look()


# What is no request of the runner at all.
WORDS = {
    "a program": "id",
    "two commands": "id; id",
    "in a substitution": "$(id)",
    "behind a pipe": "id | sh",
    "on a line of its own": "id\nid",
    "a shell": "sh -c id",
    "in place of ours": f"exec sh -c id {TOKEN} id",
    "removing": f"rm -rf {STORE}",
    "reading": "cat /etc/shadow",
    "scp": "scp -t /root",
    "rsync of another sort": "rsync --server --daemon --config=/dev/stdin .",
    "rsync with words": f"rsync --server -logDtpre.iLsfxCIvu --delete . {STORE}",
    "rsync with a log": "rsync --server --sender --log-file=/etc/cron.d/x -slogDtpre.iLsfxCIvu",
    "the environment": f"PYTHONPATH=/tmp {PROGRAM} newest {STORE}",
    "env": f"env LD_PRELOAD=/tmp/x {PROGRAM} newest {STORE}",
    "another agent": f"/tmp/runner-agent newest {STORE}",
    "putting a file": f"exec sh -c x {TOKEN} sh -c 'cat > /etc/cron.d/x'",
    "a reboot": f"exec sh -c x {TOKEN} systemctl reboot",
    "a power off": f"exec sh -c x {TOKEN} shutdown -h -P now",
    "all processes": "kill -s KILL -- -1",
    "a plain kill": "kill -9 1",
    "too long": "x" * 100_000,
}


def test_what_the_runner_never_asks_is_refused_and_told(thief: Thief) -> None:
    before = thief.refused()
    for what, words in WORDS.items():
        # Of one connection: he is in a hurry, and so is who tries them all.
        said = thief.ask(words, options=SHARED)
        assert said.returncode not in (0, 255), what
        assert "uid=0" not in said.stdout, what
        assert len(said.stdout + said.stderr) < 1000, what
        assert "Traceback" not in said.stderr, what
    ended(thief)
    assert thief.refused() == before + len(WORDS)


def test_no_signal_reaches_what_was_not_begun_for_the_key(thief: Thief) -> None:
    before, sshd = thief.refused(), thief.runner.path(BACKUP, "/run/sshd.pid").read_text().strip()
    assert thief.ask(f"kill -s KILL -- -{sshd}").returncode == 1
    assert thief.refused() > before
    assert thief.runner.path(BACKUP, "/run/sshd.pid").read_text().strip() == sshd


# Verbs of the agent with arguments that are not its own.
VERBS: dict[str, Callable[[Thief], tuple[str, ...]]] = {
    "lower the floor": lambda thief: ("floor", STORE, "1", f"--plan={PLAN}", "--lower"),
    "another store": lambda thief: ("hold", "/srv", f"--plan={PLAN}", "--who=me"),
    "a store by another way": lambda thief: ("hold", f"{STORE}/../papio", f"--plan={PLAN}", "--who=me"),
    "set aside": lambda thief: ("set-aside", STORE, older(thief), f"--plan={PLAN}", "--min=1"),
    "unpin": lambda thief: ("unpin", STORE, older(thief), f"--plan={PLAN}"),
    "a program in keep-room": lambda thief: ("keep-room", STORE, f"--partial={older(thief)}", "--", "sh", "-c", "id"),
    "keep-room elsewhere": lambda thief: ("keep-room", "/etc", "--", "rsync", "--server", "-slogDtpre.iLsfxCIvu"),
    "keep-room in what is sealed": lambda thief: (
        "keep-room", STORE, f"--partial={older(thief)}", "--", "rsync", "--server", "-slogDtpre.iLsfxCIvu",
    ),
    "detach": lambda thief: ("detach", f"--plan={PLAN}", "--step=s", "--", "id"),
    "bring": lambda thief: ("bring", "--", "id"),
    "fstab": lambda thief: ("put-fstab-line", "--new=/x /y ext3 defaults 0 0"),
    "immutable": lambda thief: ("make-unwritable", STORE),
    "another disk": lambda thief: ("mark-disk", STORE, "--uuid=x", "--since=2026-11-23T08:15:00Z"),
    "restored to /etc": lambda thief: ("make-restored", "/etc", "x"),
    "logs": lambda thief: ("access", "--file=/etc/shadow", "--hours=1", "--rows=1"),
    "a page": lambda thief: ("page", "http://127.0.0.1/"),
    "records of looks elsewhere": lambda thief: ("look", "/", "--scans=/etc/cron.d", f"--name={newest(thief)}"),
    "his own policy": lambda thief: ("enrol", "papio", f"--public=ssh-ed25519 {'A' * 68}", "--policy=[keys.papio]"),
    "to be forgotten": lambda thief: ("refused", "--forget"),
    "more of itself": lambda thief: ("serve", "papio"),
    "the packages": lambda thief: ("hold-host", "packages", f"--plan={PLAN}", "--who=me"),
    "databases": lambda thief: ("databases", "--programs=/tmp"),
}  # fmt: skip


def test_a_verb_with_what_is_not_its_own_is_refused_and_told(thief: Thief) -> None:
    before = thief.refused()
    for verb, words in VERBS.items():
        said = thief.ask(*map(shlex.quote, ("exec", "sh", "-c", "x", TOKEN, PROGRAM, *words(thief))), options=SHARED)
        assert said.returncode == 1, (verb, said)
        assert '"do"' in said.stdout, verb
        assert "uid=0" not in said.stdout, verb
        assert "Traceback" not in said.stderr, verb
    ended(thief)
    assert thief.refused() == before + len(VERBS)


def test_what_expires_is_old_and_little_and_never_the_newest(thief: Thief) -> None:
    with thief.holding():
        for name in (older(thief), newest(thief)):
            said = thief.agent("expire", STORE, name, f"--plan={PLAN}", "--min=1")
            assert said.returncode == 1, said
            assert "newest" in said.stdout or "days ago" in said.stdout or "floor" in said.stdout
        lab, until = thief.runner.lab, "2099-01-01T00:00:00Z"
        lab.run(BACKUP, PROGRAM, "pin", STORE, older(thief), f"--plan={PLAN}", f"--until={until}", "--why=a keeper's")
        said = thief.agent("pin", STORE, older(thief), f"--plan={PLAN}", "--until=2098-01-01T00:00:00Z", "--why=x")
        assert "a pin is there that ends later" in said.stdout, said
        said = thief.agent("floor", STORE, "999999", f"--plan={PLAN}")
        assert "higher than that of the policy" in said.stdout, said
        for name in ("2099-01-01T000000Z", "1971-01-01T000000Z"):
            said = thief.agent("begin", STORE, name, f"--plan={PLAN}", f"--basis={newest(thief)}", "--", "/")
            assert said.returncode == 1, said
            assert "the clock of this host" in said.stdout
    lab.run(BACKUP, "rm", f"{STORE}/.runner/pins.json")


def test_of_older_snapshots_nothing_is_made_where_only_the_newest_is_read(thief: Thief) -> None:
    lab, policy = thief.runner.lab, thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    before = policy.read_text()
    policy.write_text(before.replace('reads = "all"', 'reads = "newest"'))
    with thief.holding():
        name = lab.run(BACKUP, "date", "-u", "+%Y-%m-%dT%H%M%SZ").stdout.strip()
        begin = ("begin", STORE, name, f"--plan={PLAN}", f"--basis={newest(thief)}")
        said = thief.agent(*begin, f"--share={older(thief)}", "--", "/")
        assert "not the newest snapshot of a job" in said.stdout, said
        assert thief.agent(*begin, "--", "/").returncode == 0
        said = thief.agent("clone", STORE, name, f"--plan={PLAN}", f"--basis={older(thief)}=/")
        assert "not the newest snapshot of a job" in said.stdout, said
        assert thief.agent("search", STORE, older(thief), stdin='{"pattern": "passwd"}').returncode == 1
        said = thief.rsync("--protect-args", "-a", f"{HERE}:{STORE}/{older(thief)}/etc/passwd", "/run/stolen-passwd")
        assert said.returncode == 23, said
        assert thief.agent("drop-partials", STORE, f"--plan={PLAN}", "--", name).returncode == 0
    policy.write_text(before)
    thief.look()


def test_junk_is_sealed_no_more_than_the_day_allows(thief: Thief) -> None:
    sealed = len(thief.runner.sealed())
    for _ in range(6):
        thief.runner.run("run", "backup-papio")
    # Twice the one of a day, and two more; what was sealed nine days ago counts no more.
    assert len(thief.runner.sealed()) <= sealed + 4
    ran = thief.runner.run("run", "backup-papio")
    assert "lets no more snapshots be sealed in store papio in 24 hours" in ran.said
    assert thief.refused() > 0


def test_a_probe_runs_nothing_and_reads_nothing_else(thief: Thief) -> None:
    before = thief.refused()
    said = thief.probe(commands=[{"id": "x", "argv": ["sh", "-c", "id > /root/x"], "timeout": 5}])
    reading = json.loads(said.stdout.splitlines()[-1])["readings"]["x"]
    assert reading["exit"] == 126
    assert "uid=0" not in reading["out"]
    for request in (
        {"root": "/etc"}, {"stand_ins": ["/root"]}, {"stores": [{"name": "x", "path": "/root", "mount": "", "uuid": ""}]},
    ):  # fmt: skip
        said = thief.probe(**request)
        assert said.returncode == 1, said
    assert thief.refused() >= before + 4


def test_a_program_that_comes_along_is_not_run(thief: Thief) -> None:
    program = "import os; os.system('id > /root/x')"
    for path in ("", "/tmp/x", PROGRAM):
        words = f"exec sh -c x {TOKEN} python3 -IS -c x {'0' * 64} {len(program)} {path or repr('')} probe"
        said = thief.ask(words, stdin=program)
        assert said.returncode in (1, 80), said
    assert thief.ask(f"exec sh -c x {TOKEN} sh -c '{_PLACE}' put /etc /etc/x /etc/y 0755 x", stdin="x").returncode == 1


def test_input_without_an_end_ends(thief: Thief) -> None:
    endless = f"yes | ssh -i {thief.key} -oBatchMode=yes {HERE}"
    question = f"exec sh -c x {TOKEN} python3 -IS -c x $(cat /run/digest) 1 {PROGRAM}"
    digest = thief.runner.lab.run(BACKUP, "sha256sum", PROGRAM).stdout.split()[0]
    thief.runner.path(PAPIO, "/run/digest").write_text(digest)
    for words in (question, "id"):
        said = thief.runner.lab.run(PAPIO, "sh", "-c", f'{endless} "{words}"', check=False, timeout=60)
        assert said.returncode not in (0, 255)
    assert thief.runner.run("run", "prune-papio").code == 3, "what was refused is to be seen by a person"


def test_a_policy_that_others_may_change_lets_nobody_in(thief: Thief) -> None:
    policy = thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    policy.chmod(0o666)
    for words in ("rsync --server -slHogDtpAXrxSe.LsfxCIvu", f"{PROGRAM} newest {STORE}"):
        said = thief.ask(words)
        assert said.returncode == 1 and "others may change" in said.stdout + said.stderr, said
        # What rsync speaks is never mixed with ours.
        assert said.stdout == "" or words.startswith(PROGRAM)
    policy.chmod(0o644)
    thief.look()


CHANNELS = {
    "a terminal": ("-tt",),
    "sftp": ("-s", "sftp"),
    "its locale": ("-oSendEnv=LANG LC_ALL", "-oSetEnv=LC_ALL=de_DE.ISO-8859-1 LD_PRELOAD=/tmp/x"),
}


def test_no_channel_is_more_than_a_request(thief: Thief) -> None:
    for channel, options in CHANNELS.items():
        subsystem = ("sftp",) if "-s" in options else ("id",)
        said = thief.ask(*subsystem, options=tuple(word for word in options if word != "sftp"))
        assert said.returncode != 0, channel
        assert "uid=0" not in said.stdout, channel


@pytest.mark.parametrize("way", [("-L", "9022:127.0.0.1:22"), ("-R", "9023:127.0.0.1:22"), ("-D", "9024")])
def test_nothing_is_forwarded(thief: Thief, way: tuple[str, str]) -> None:
    process = thief.runner.lab.popen(PAPIO, "ssh", "-i", thief.key, "-N", "-oExitOnForwardFailure=yes", *way, HERE)
    if way[0] == "-R":
        assert process.wait(20) != 0
        return
    port = way[1].partition(":")[0]
    script = f"for n in $(seq 50); do ss -ltn | grep -q :{port} && break; sleep 0.1; done"
    thief.runner.lab.run(PAPIO, "sh", "-c", script)
    said = thief.runner.lab.run(
        PAPIO, "timeout", "5", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; head -c 4 <&3", check=False
    )
    assert "SSH" not in said.stdout
    process.kill()


# Requests that the runner makes too, with an rsync of his own at this end.
COPIES: dict[str, Callable[[Thief], tuple[str, ...]]] = {
    "over a sealed file": lambda thief: ("-a", "--inplace", "/run/evil/", f"{HERE}:{STORE}/{older(thief)}/etc/"),
    "into the records": lambda thief: ("-a", "/run/evil/", f"{HERE}:{STORE}/.runner/records/"),
    "with --delete": lambda thief: ("-a", "--delete", "/run/evil/", f"{HERE}:{STORE}/"),
    "to root's keys": lambda thief: ("-a", "/run/evil/", f"{HERE}:/root/.ssh/"),
    "modes alone": lambda thief: ("-r", "--chmod=777", "/run/evil/", f"{HERE}:{STORE}/{older(thief)}/etc/"),
    "what it read away": lambda thief: (
        "-a",
        "--remove-source-files",
        f"{HERE}:{STORE}/{newest(thief)}/etc/",
        "/run/x/",
    ),
}


@pytest.mark.parametrize("guarded", [False, True], ids=["plain", "protected"])
def test_an_rsync_of_his_own_writes_nowhere(thief: Thief, guarded: bool) -> None:
    for copy, words in COPIES.items():
        said = thief.rsync(*(("--protect-args",) if guarded else ("--old-args",)), *words(thief))
        assert said.returncode != 0, copy


# Words that come in rsync's stream, where they are no request to sshd.
STREAMS = {
    "a server of his own": ("--server", "--daemon", "--config=/etc/rsyncd.conf"),
    "a log": ("--log-file=/etc/cron.d/x",),
    "where it stands": (".", "etc/"),
    "to look is not to write": ("--log-format=%i", "--partial-dir", "/etc", ".", "/etc/"),
    "without an end": ("--stats",),
}


@pytest.mark.parametrize("way", ["--server --sender -slogDtpre.LsfxCIvu", "--server -slogDtpre.LsfxCIvu"])
def test_an_rsync_is_told_nothing_else_in_its_stream(thief: Thief, way: str) -> None:
    before = thief.refused()
    for what, words in STREAMS.items():
        end = "" if what == "without an end" else "\0\0"
        said = thief.ask(f"rsync {way}", stdin="\0".join(("rsync", *words)) + end)
        assert said.returncode == 1, (what, said)
        # rsync speaks on the output.
        assert not said.stdout, what
    assert thief.refused() == before + len(STREAMS) - 1


def test_nothing_is_compared_with_but_what_is_sealed(thief: Thief) -> None:
    """What leads out of it, in what he sent: nothing of the host is shown by it, and nothing made on the host."""
    lab, policy = thief.runner.lab, thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    before = policy.read_text()
    # What was sealed here today counts too.
    policy.write_text(before.replace('sources = ["/"]', "sources = []").replace("seals = 4", "seals = 40"))
    try:
        with thief.holding():
            for partial in thief.runner.partials():
                thief.agent("drop-partials", STORE, f"--plan={PLAN}", "--", partial)
            name = lab.run(BACKUP, "date", "-u", "+%Y-%m-%dT%H%M%SZ").stdout.strip()
            begun = thief.agent("begin", STORE, name, f"--plan={PLAN}", f"--basis={newest(thief)}", "--", "/")
            assert begun.returncode == 0, begun
            there, refused = f"{STORE}/.incoming/{name}/0", thief.refused()
            lab.run(PAPIO, "sh", "-c", "rm -rf /run/link; mkdir -p /run/link; ln -s ../../../../../.. /run/link/evil")
            for reads in ("", f"--reads={there}/evil/etc", f"--reads={STORE}/.partial/{name}"):
                path = f"--rsync-path={PROGRAM} keep-room {STORE} --partial={name} {reads} -- rsync"
                said = thief.rsync("-s", "-a", "--numeric-ids", path, "/run/link/", f"{HERE}:{there}/")
                assert (said.returncode == 0) == (not reads), said
            assert thief.refused() == refused + 2
            assert thief.agent("drop-partials", STORE, f"--plan={PLAN}", "--", name).returncode == 0
    finally:
        policy.write_text(before)
        thief.look()


def test_no_disk_is_read_past_its_files(thief: Thief) -> None:
    device = thief.runner.lab.run(BACKUP, "findmnt", "--noheadings", "--output=SOURCE", STORE).stdout.strip()
    assert device.startswith("/dev/")
    for more, code in ((), 0), (("--copy-devices",), 12):
        said = thief.rsync("--protect-args", *more, f"{HERE}:{device}", "/run/stolen")
        assert said.returncode == code, said
    stolen = thief.runner.path(PAPIO, "/run/stolen")
    assert not stolen.is_file() or stolen.stat().st_size == 0


def test_of_other_stores_nothing_is_seen(thief: Thief) -> None:
    """The policy of this host has another key, and that one a store."""
    lab, policy = thief.runner.lab, thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    lab.run(BACKUP, "sh", "-c", "mkdir -p /srv/other && echo secret > /srv/other/canary")
    policy.write_text(policy.read_text() + '\n[keys.karl.stores."/srv/other"]\n')
    thief.look()
    said = thief.rsync("--protect-args", "-a", f"{HERE}:/srv/", "/run/stolen/")
    assert "secret" not in lab.run(PAPIO, "grep", "-r", "secret", "/run/stolen", check=False).stdout, said
    assert thief.runner.path(PAPIO, "/run/stolen/backups").is_dir(), "of what it may read the rest is there"


def test_folders_without_end_leave_the_last_of_the_disk(thief: Thief) -> None:
    store = thief.runner.store("papio")
    with policy_of(thief, "seals = .*", "seals = 40"), holding(thief):
        for turn in range(4):
            # Others each time: what was begun already is taken up.
            points, name = [f"/p{turn}x{number}" for number in range(9000)], thief.now()
            parts = [f"--resume={each}" for each in thief.runner.partials()]
            said = thief.agent(
                "begin", STORE, name, f"--plan={PLAN}", f"--basis={newest(thief)}", *parts, "--", *points
            )
        # That many have no room any more, however often they are begun.
        assert said.returncode == 1 and '"cause": "full"' in said.stdout, said
        seen = guard(store).look()
        assert not short(seen.free, seen.last), seen
        asked(thief, "drop-partials", "--", *thief.runner.partials())
    assert thief.runner.partials() == []


def test_with_the_verb_to_put_aside_nothing_goes_that_may_not_expire(thief: Thief) -> None:
    with (
        policy_of(thief, "power = .*", 'power = []\nverbs = ["set-aside", "drop-aside"]'),
        policy_of(thief, "floor = .*", "floor = 30"),
        holding(thief),
    ):
        for name, why in ((newest(thief), "sealed less than 7 days ago"), (older(thief), "the floor is 30")):
            said = asked(thief, "set-aside", name, "--min=1")
            assert said.returncode == 1 and why in said.stdout, said


def test_where_its_disk_is_not_mounted_no_store_is_made(thief: Thief) -> None:
    """Nor with another disk declared: the host itself says what belongs there."""
    lab = thief.runner.lab
    lab.disk("umount")
    try:
        for declared in ((), ("--disk-mount=/",), ("--disk-mount=/srv",)):
            said = asked(thief, "begin", thief.now(), "--basis=", *declared, "--whole=/", "--", "/")
            assert said.returncode == 1, said
        assert lab.run(BACKUP, "ls", "-A", STORE).stdout == ""
    finally:
        lab.disk("mount")


def test_once_it_is_revoked_an_open_connection_can_do_nothing_more(thief: Thief) -> None:
    lab = thief.runner.lab
    policy, keys = (
        thief.runner.path(BACKUP, each) for each in ("/etc/runner/agent.toml", "/root/.ssh/authorized_keys")
    )
    kept = [(path, path.read_text()) for path in (policy, keys)]
    newest_asked = [*map(shlex.quote, ("exec", "sh", "-c", "x", TOKEN, PROGRAM, "newest", STORE))]
    keys.write_text(f"# of a person\nssh-ed25519 AAAA x\n{kept[1][1]}")
    try:
        with thief.holding():
            assert thief.ask(*newest_asked, options=SHARED).returncode == 0
            revoked = json.loads(lab.run(BACKUP, PROGRAM, "revoke", "papio").stdout)
            # The one that holds the store, and perhaps one that was about to end.
            assert revoked.pop("ended") >= 1
            assert revoked == {"revoked": "papio", "policy": True, "line": True}
            assert keys.read_text() == "# of a person\nssh-ed25519 AAAA x\n"
            # Over the connection that was opened before.
            assert thief.ask(*newest_asked, options=SHARED).returncode == 1
            assert thief.ask(*newest_asked).returncode == 255, "and there is no new one"
        again = json.loads(lab.run(BACKUP, PROGRAM, "revoke", "papio").stdout)
        assert again == {"revoked": "papio", "policy": False, "line": False, "ended": 0}
    finally:
        for path, text in kept:
            path.write_text(text)
        ended(thief)
        thief.look()


def test_an_honest_day_goes_on(thief: Thief) -> None:
    assert "came back as sealed" in thief.runner.run("run", "drill-papio").said
    assert "no difference" in thief.runner.run("restore", "papio", DATA).said
    ran = thief.runner.run("run", "prune-papio")
    assert "of the key papio" in ran.said
    assert "docs/trust.md" in ran.said


@pytest.mark.parametrize("many", [12, pytest.param(500, marks=pytest.mark.soak)])
def test_junk_of_his_own_hand_is_sealed_no_more_than_the_day_allows(thief: Thief, many: int) -> None:
    """Whatever he calls it, and of whatever time: what was there stays, it is told, and the last of the disk too."""
    # What was sealed here today counts too, be it the first of these tests that runs or the last.
    chain = (thief.runner.store("papio") / ".runner/chain").read_bytes().splitlines(keepends=True)
    today = sum(line is not None and line.event == SEALED for line in map(parsed, chain))
    policy = thief.runner.path(BACKUP, "/etc/runner/agent.toml")
    text, known = policy.read_text(), policy.stat()
    policy.write_text(text.replace("seals = 4", "seals = 8"))
    before, refused, whens = thief.runner.sealed(), thief.refused(), list(OFFSETS)
    thief.runner.lab.run(PAPIO, "sh", "-c", "mkdir -p /run/junk; head -c 1000000 /dev/urandom > /run/junk/x")
    partials = sorted(path.name for path in (thief.runner.store("papio") / ".partial").glob("2*Z"))
    with holding(thief):
        if partials:
            assert asked(thief, "drop-partials", "--", *partials).returncode == 0
        # Of now until no more may be; then of any time.
        sealed = sum(junk(thief, number, whens[max(0, number - 5) % len(whens)]) for number in range(many))
    policy.write_text(text)
    os.utime(policy, ns=(known.st_atime_ns, known.st_mtime_ns))
    after = thief.runner.sealed()
    assert 0 < sealed <= 8 - today
    assert len(after) == len(before) + sealed
    assert after[: len(before)] == before
    assert thief.refused() >= refused + (many - sealed) * 3 // 5
    space = os.statvfs(thief.runner.store("papio"))
    assert space.f_bavail >= space.f_blocks // 100
    assert len(list((thief.runner.store("papio") / ".partial").glob("2*"))) == 0
