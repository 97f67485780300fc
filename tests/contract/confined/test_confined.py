"""What is confined, really run: it receives as root would, and has nothing else of this host."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.tools import rsync
from runner.tools.foreseen import Foreseen
from tests.compare import differences, fingerprint
from tests.contract.hosts.test_shared import Reached
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, READABLE, Said, execute
from tests.contract.ways import server
from tests.trees import change_tree, make_tree

__all__ = ["server"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to confine anything")
NAME = "2026-11-23T081500Z"


def confined(store: Path, *words: str) -> tuple[str, ...]:
    return (*PROGRAM, "keep-room", str(store), f"--partial={NAME}", "--confined", *words, "--")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store in which a snapshot is begun, beside things that are nobody's business."""
    root = tmp_path / "store"
    for folder in (f".incoming/{NAME}/0", f".incoming/{NAME}/parts", f".partial/{NAME}", "old", ".runner"):
        (root / folder).mkdir(parents=True)
    (root / ".runner/lock").touch()
    (root / "old/sealed").write_text("sealed\n")
    (root / "old/sealed").chmod(0o600)
    (tmp_path / "secret").write_text("secret\n")
    return root


def inside(store: Path, script: str, *words: str) -> Said:
    return execute((*confined(store, *words), "sh", "-c", script))


def test_it_writes_where_it_receives_and_nowhere_else(store: Path) -> None:
    before = fingerprint(store.parent)
    incoming, script = f"{store}/.incoming/{NAME}", 'for each; do (echo x > "$each") 2>/dev/null && echo "$each"; done'
    closed = [
        f"{store}/x", f"{store}/.incoming/x", f"{store}/.partial/{NAME}/x", f"{store}/.runner/x", f"{store}/old/x",
        f"{store}/old/sealed", f"{store.parent}/secret", f"{store.parent}/x", "/x", "/usr/x", "/etc/x", "/tmp/x", "/dev/x",
        "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/root/x", "/var/x", "/run/x", f"{incoming}/../x",
    ]  # fmt: skip
    argv = (*confined(store, f"--reads={store}/old"), "sh", "-c", script, "sh", *closed, f"{incoming}/0/there")
    said = execute(argv)
    assert said.out.decode().split() == [f"{incoming}/0/there"], said
    assert (store / f".incoming/{NAME}/0/there").read_text() == "x\n"
    (store / f".incoming/{NAME}/0/there").unlink()
    after = fingerprint(store.parent)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {f"store/.incoming/{NAME}/0".encode()} and set(after) == set(before)


def test_it_reads_what_is_named_whoever_may_read_that_and_nothing_else_of_the_host(store: Path) -> None:
    said = inside(store, f"cat {store}/old/sealed; ls / /etc /dev; ls {store.parent} {store}", f"--reads={store}/old")
    words = said.out.decode().split()
    assert words[0] == "sealed" and {"usr", "proc", "null"} <= set(words)
    assert not {"secret", "shadow", "passwd", "root", "home", "var", "run", "boot", "sda", ".runner"} & set(words)


def test_it_is_nobody_without_a_way_back(store: Path) -> None:
    script = """
        id -u; ls /sys/class/net /proc/sys; set -- /proc/[0-9]*; echo $#
        mount -t tmpfs none "$0" && echo mounted; umount /usr && echo unmounted; unshare -m true && echo apart
        unshare -U true && echo user; chroot / true && echo rooted; mknod x c 1 3 && echo here
        cd "$0" && mknod null c 1 3 && echo made; (: < null) || echo closed
        cp /bin/true true; chmod 4755 true; setpriv --reuid 0 true || echo nobody; ulimit -c
    """
    said = execute((*confined(store), "sh", "-c", script, f"{store}/.incoming/{NAME}/0"))
    uid, *words = said.out.split()
    assert 60899 < int(uid) < 61000
    assert words == [b"1", b"made", b"closed", b"nobody", b"0"], said


def test_what_it_began_ends_with_it(store: Path) -> None:
    said = inside(store, "sleep 987654 & exit 3")
    assert said.code == 3
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert b"sleep\x00987654\x00" not in running


def test_nobody_s_names_are_heard_and_nothing_is_inherited(store: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, (store.parent / "secret").open("rb") as secret:
        listening.bind("\0runner-test-of-confined")
        listening.listen()
        argv = (
            *confined(store),
            "python3",
            "-c",
            "import os, socket; print(os.listdir('/proc/self/fd'), dict(os.environ))",
        )
        done = subprocess.run(
            argv, env={**ENVIRONMENT, "SECRET": "told"}, pass_fds=(secret.fileno(),), capture_output=True, check=False
        )
    assert b"['0', '1', '2', '3']" in done.stdout and b"told" not in done.stdout, done


@pytest.mark.parametrize("before", ["--bounding-set=-sys_admin", "--reuid=65534"])
def test_where_it_cannot_be_nothing_is_begun(store: Path, before: str) -> None:
    rights = ("--inh-caps=-all",) if before.startswith("--b") else ("--clear-groups", "--regid=65534")
    # Into where he is who is not root.
    argv = confined(store) if before.startswith("--b") else (*PROGRAM, "keep-room", "/usr", "--confined", "--")
    said = execute(("setpriv", before, *rights, "--", *argv, "sh", "-c", "echo begun"))
    assert (said.code, said.out, said.err.count(b"\n")) == (1, b"", 1), said
    assert b"confine" in said.err and b"Traceback" not in said.err


def test_a_link_in_the_place_of_what_it_may_write_is_not_followed(store: Path) -> None:
    place = store / f".incoming/{NAME}"
    place.rename(store / "moved")
    place.symlink_to(store / "old")
    said = inside(store, f"echo x > {place}/x")
    assert (said.code, (store / "old/x").exists(), b"is a link" in said.err) == (1, False, True)


OLDER = "2026-11-22T081500Z"


@pytest.mark.parametrize("where", [f".incoming/{NAME}/0", OLDER, f".partial/{NAME}"])
@pytest.mark.parametrize("way", ["evil", "evil/etc", "deep/evil/etc"])
def test_what_was_sent_leads_nowhere(store: Path, where: str, way: str) -> None:
    """A link in it, on the way of what is to be read: it would lead out of the view while that is made."""
    (store / where / "deep").mkdir(parents=True, exist_ok=True)
    depth = len(store.parts) - 1 + len(Path(where).parts)
    (store / where / "evil").symlink_to("../" * depth)
    (store / where / "deep/evil").symlink_to("../" * (depth + 1))
    before = fingerprint(store)
    reads = f"{store}/{where}/{way}"
    for argv in ((*confined(store, f"--reads={reads}"),), (*PROGRAM, "confine", f"--reads={reads}", "--")):
        said = execute((*argv, "sh", "-c", 'cat /etc/passwd "$0"/etc/passwd "$0"/passwd; ls "$0" /etc', reads))
        assert b"root:" not in said.out and b"passwd" not in said.out.split(), said
    assert fingerprint(store) == before


def test_a_link_of_root_s_own_leads_to_a_store_and_one_of_another_user_does_not(store: Path) -> None:
    """A folder in which nobody else may make names, unlike those of tests."""
    place = Path("/mnt")
    subprocess.run(("mount", "-t", "tmpfs", "-o", "mode=755", "none", place), check=True)
    try:
        (place / "disk/store").mkdir(parents=True)
        (place / "disk/store/kept").write_text("kept\n")
        (place / "srv").symlink_to("disk")
        read = (*PROGRAM, "confine", f"--reads={place}/srv/store", "--", "cat", f"{place}/srv/store/kept")
        assert execute(read).out == b"kept\n"
        os.chown(place / "srv", 12345, 12345, follow_symlinks=False)
        said = execute(read)
        assert (said.code, b"is a link" in said.err) == (1, True)
    finally:
        subprocess.run(("umount", place), check=True)


def test_nothing_that_was_sent_is_run(store: Path) -> None:
    shown = f"{store}/.incoming/{NAME}/0"
    said = inside(store, f"cp /bin/true {shown}/true && {shown}/true || echo not run")
    assert said.out == b"not run\n", said


class Trees:
    """A source with a store beside it, and what sends the one into the other."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.source, self.old, self.store = folder / "source", store / "old", store
        make_tree(self.source, seed=5, files=60)
        subprocess.run(("cp", "-a", f"{self.source}/.", self.old), check=True)
        (self.old / "sealed").unlink()
        change_tree(self.source, seed=2)

    def ends(self, rsh: tuple[str, ...], *, far: bool, reads: tuple[str, ...] = ()) -> rsync.Ends:
        """From here to `far`, or from there to here."""
        place = f"{self.store}/.incoming/{NAME}/0/"
        keep = (*PROGRAM, "keep-room", str(self.store), f"--partial={NAME}", "--confined", f"--reads={self.old}")
        keep = ("env", f"PYTHONPATH={READABLE}", *keep, *(f"--reads={each}" for each in reads), "--")
        source, target = (f"{self.source}/", f"backup:{place}") if far else (f"backup:{self.source}/", place)
        return rsync.Ends(source=source, target=target, rsh=rsh, keep=keep, confined=True, trusts=True)

    @property
    def received(self) -> Path:
        return self.store / f".incoming/{NAME}/0"

    def names(self) -> bytes:
        """All names of the source, as a look lists them."""
        here = os.fsencode(self.source)
        found = [b"."]
        for folder, folders, files in os.walk(here):
            found += [os.path.relpath(folder + b"/" + name, here) for name in (*folders, *files)]
        return b"".join(b"./" + name + b"\0" for name in sorted(found))


@pytest.fixture
def trees(tmp_path: Path, store: Path) -> Trees:
    return Trees(tmp_path, store)


@pytest.fixture
def reached(server: object, tmp_path: Path) -> Iterator[Reached]:
    made = Reached(server, tmp_path / "state")  # type: ignore[arg-type]
    yield made
    made.close()


@pytest.mark.parametrize("far", [True, False], ids=["push", "pull"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "whole"])
def test_what_is_received_is_the_source_to_the_last_attribute(
    trees: Trees, reached: Reached, far: bool, listed: bool
) -> None:
    ends = trees.ends(reached.call, far=far, reads=() if far else reached.call[-1:])
    parts = f"{trees.store}/.incoming/{NAME}/parts"
    sealed = fingerprint(trees.old)
    if listed:
        given = (trees.names(),)
        first = rsync.send_listed(ends, exclude=(), bases=(str(trees.old),), keep_parts=parts)
        argvs: tuple[tuple[str, ...], ...] = (first, rsync.send_again(ends, exclude=(), keep_parts=parts))
    else:
        given, argvs = (), (rsync.send(ends, exclude=(), keep_parts=parts),)
    for argv in argvs:
        sent = reached.near.run(argv, stdin=given, timeout=120)
        assert (sent.exit, sent.err) == (0, b""), sent
    assert differences(trees.source, trees.received) == []
    assert fingerprint(trees.old) == sealed


def test_a_look_in_a_view_says_what_root_s_own_says(trees: Trees, reached: Reached) -> None:
    looks = (*PROGRAM, "confine", f"--reads={trees.old}", f"--reads={reached.call[-1]}", "--")
    own = replace(trees.ends(reached.call, far=False), target=f"{trees.old}/", keep=(), confined=False)
    seen = replace(own, looks=("env", f"PYTHONPATH={READABLE}", *looks))
    names, before = trees.names(), fingerprint(trees.old)
    for label in ("security.runner", "trusted.runner"):
        os.setxattr(trees.source, label, b"set")
    for made in (
        lambda ends: rsync.look(ends, exclude=("/dir*/*",)),
        lambda ends: rsync.look_listed(ends, exclude=()),
        lambda ends: rsync.verify(replace(ends, source=f"{ends.source}./."), parents=True),
    ):  # fmt: skip
        without, within = (
            reached.near.run(made(ends), stdin=(names,) if "--from0" in made(ends) else (), timeout=120)
            for ends in (own, seen)
        )
        assert (within.exit, within.out, within.err) == (without.exit, without.out, without.err), made(seen)
        assert without.exit == 0 and without.out
    counted = Foreseen(), Foreseen()
    for count, ends in zip(counted, (own, seen), strict=True):
        argv = rsync.foresee(rsync.look(ends, exclude=()))
        assert reached.near.run(argv, timeout=120, sink=count.hear).exit == 0
    assert counted[0].bytes == counted[1].bytes > 0 and counted[0].inodes == counted[1].inodes
    same = replace(seen, source=f"backup:{trees.old}/")
    assert reached.near.run(rsync.look(same, exclude=()), timeout=120).out == b""
    assert fingerprint(trees.old) == before
    missing = reached.near.run(rsync.look(replace(seen, source="backup:/none/"), exclude=()), timeout=120)
    assert missing.exit == 23 and b"/none" in missing.err


def test_what_only_looks_writes_nowhere(store: Path) -> None:
    before = fingerprint(store.parent)
    closed = [f"{store}/old/x", f"{store}/old/sealed", f"{store}/x", "/x", "/tmp/x", "/usr/x", "/root/x"]
    script = 'for each; do (echo x > "$each") 2>/dev/null && echo "$each"; done; id -u; chown 0 "$1"; ls /etc'
    said = execute((*PROGRAM, "confine", f"--reads={store}/old", "--", "sh", "-c", script, "sh", *closed))
    uid, *words = said.out.split()
    assert 60899 < int(uid) < 61000 and b"passwd" not in words and not set(words) & {each.encode() for each in closed}
    assert fingerprint(store.parent) == before


def test_a_look_ends_as_what_it_began_and_refuses_in_one_line(store: Path) -> None:
    confine = (*PROGRAM, "confine", f"--reads={store}", "--")
    assert execute((*confine, "sh", "-c", "exit 23")).code == 23
    assert execute((*confine, "python3", "-c", "import ctypes; ctypes.string_at(0)")).code == -11
    for argv, code in (((*confine, "/none"), 127), (("setpriv", "--bounding-set=-sys_admin", *confine, "true"), 1)):
        said = execute(argv)
        assert (said.code, said.out, said.err.count(b"\n")) == (code, b"", 1), said


def test_who_ends_it_is_heard_by_what_it_began(store: Path) -> None:
    script = "trap 'echo heard; exit 20' TERM; echo begun; while :; do sleep 0.05; done"
    argv = (*PROGRAM, "confine", f"--reads={store}", "--", "sh", "-c", script)
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == b"begun\n"
        run.terminate()
        assert (run.communicate(timeout=30)[0], run.returncode) == (b"heard\n", 20)


def test_a_half_that_is_kept_is_taken_up(trees: Trees, reached: Reached) -> None:
    ends = trees.ends(reached.call, far=True)
    parts = trees.store / f".incoming/{NAME}/parts"
    (trees.source / "big").write_bytes(os.urandom(1 << 20) * 8)
    (parts / "big").write_bytes((trees.source / "big").read_bytes()[: 6 << 20])
    sent = reached.near.run(rsync.send(ends, exclude=(), keep_parts=str(parts)), timeout=120)
    assert (sent.exit, list(parts.iterdir())) == (0, [])
    assert differences(trees.source, trees.received) == []


def test_without_a_runner_a_pull_says_what_to_do(trees: Trees, reached: Reached) -> None:
    argv = rsync.send(trees.ends(reached.call, far=False, reads=reached.call[-1:]), exclude=())
    said = execute(argv)
    assert b"leave out what confines it" in said.err and b"Traceback" not in said.err and said.code
    assert list(trees.received.iterdir()) == []


def test_a_restore_gets_back_what_is_there_and_keeps_what_it_replaces(trees: Trees, reached: Reached) -> None:
    target, aside = trees.store.parent / "back", trees.store.parent / "aside"
    for folder in (target, aside):
        folder.mkdir()
    subprocess.run(("cp", "-a", trees.old, target / "source"), check=True)
    keep = (
        *PROGRAM,
        "keep-room",
        str(target),
        "--by-hand",
        "--confined",
        f"--writes={target}",
        f"--writes={aside}",
        "--",
    )
    ends = trees.ends(reached.call, far=True)
    source = f"{trees.source.parent}/./source"
    ends = replace(ends, source=source, target=f"backup:{target}/", keep=("env", f"PYTHONPATH={READABLE}", *keep))
    done = reached.near.run(rsync.restore(ends, aside=str(aside)), timeout=120)
    assert (done.exit, done.err) == (0, b""), shlex.join(rsync.restore(ends, aside=str(aside)))
    gone = [line for line in differences(trees.source, target / "source") if "should not be there" not in line]
    assert gone == []
    assert any(aside.rglob("*"))


def test_where_memory_runs_out_it_is_ended_before_others(store: Path) -> None:
    said = execute((*confined(store), "cat", "/proc/self/oom_score_adj"))
    assert (said.code, said.out) == (0, b"500\n"), said
