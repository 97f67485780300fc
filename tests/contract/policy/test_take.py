"""An order that keepers have signed changes the policy and the agent of a host; anything else changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.agent.policy.contract.enrol import Enrol
from runner.agent.policy.contract.take import OrderStanding
from runner.engine.probe import runner_agent
from runner.jobs.policy import order, rights
from runner.tools import keepers
from tests.contract.storehouse import execute
from tests.contract.verbs.test_two_keepers import allowed, key, signature
from tests.unit import parts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")

# A host that has a /etc and programs of its own. $3 is done there first.
INSIDE = """
mount -t tmpfs none /run
mount --bind "$1/etc" /etc; mount --bind "$1/sbin" /usr/local/sbin
eval "$2"; shift 2
exec "$@"
"""
PROGRAM, SIGNERS = "/usr/local/sbin/runner-agent", ("anna", "karl", "eve")
PUBLIC = f"ssh-ed25519 {'A' * 68}"
SITE = parts.site(live=True)
TABLE = rights.policy(SITE, parts.SERVER, {"papio": 1})
OTHER = '\n[keys.other]   # by hand\nsources = ["/srv"]\n'
NEW = runner_agent()


def another_build(program: bytes) -> bytes:
    """The same program with other bytes, as of another version."""
    stream = io.BytesIO(program)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("version", "another")
    return stream.getvalue()


OLD = another_build(NEW)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a verb ended, and what it answered."""

    code: int
    answer: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host whose agent is of another build than the runner's."""

    folder: Path

    def agent(self, *words: str, first: str = ":", stdin: bytes = b"") -> Ended:
        inside = ("unshare", "--mount", "--propagation=private", "sh", "-ec", INSIDE, "sh", str(self.folder), first)
        done = execute((*inside, PROGRAM, *words), stdin)
        assert b"Traceback" not in done.err, done.err
        return Ended(code=done.code, answer=json.loads(done.out.splitlines()[-1]))

    def file(self, name: str) -> Path:
        return self.folder / "etc/runner" / name

    def enrol(self, signers: str, signed: int = 2, first: str = ":") -> Ended:
        signers = "".join(f"{' '.join(line.split())}\n" for line in signers.splitlines())
        options = Enrol("papio", PUBLIC, TABLE, keys="/etc/authorized_keys", signed=signed, keepers=signers)
        return self.agent(*order.words("enrol", options), first=first)

    def standing(self) -> OrderStanding:
        ended = self.agent("taken", "papio")
        assert ended.code == 0, ended.answer
        return OrderStanding(**ended.answer)  # type: ignore[arg-type]

    def order(self, table: str = TABLE, program: bytes = NEW) -> str:
        return order.text(SITE, parts.SERVER, self.standing(), program, table)

    def take(self, text: str, *signatures: bytes, program: bytes = NEW, first: str = ":", of: str = "papio") -> Ended:
        given = b"".join(signatures).decode()
        words = ("take", of, f"--order={text}", f"--signatures={given}")
        return self.agent(*words, stdin=program, first=first)

    def state(self) -> dict[str, bytes]:
        files = (each for each in sorted(self.folder.rglob("*")) if each.is_file())
        return {str(each.relative_to(self.folder)): each.read_bytes() for each in files}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: key(folder, name) for name in SIGNERS}


@pytest.fixture
def host(tmp_path: Path, keys: dict[str, Path]) -> Host:
    """It wants two of anna and karl."""
    made = Host(folder=tmp_path / "host")
    for name in ("etc/runner", "sbin"):
        (made.folder / name).mkdir(parents=True)
    for name in ("passwd", "group", "ld.so.cache"):
        shutil.copy(f"/etc/{name}", made.folder / "etc")
    (made.folder / "etc/machine-id").write_text(f"{'5a' * 16}\n")
    program = made.folder / "sbin/runner-agent"
    program.write_bytes(OLD)
    program.chmod(0o755)
    enrolled = made.enrol("".join(allowed(keys[name], name) for name in ("anna", "karl")))
    assert enrolled.code == 0, enrolled
    made.file("agent.toml").write_text(made.file("agent.toml").read_text() + OTHER)
    return made


def by(keys: dict[str, Path], text: str, *names: str) -> tuple[bytes, ...]:
    return tuple(signature(keys[name], text.encode(), keepers.ORDER) for name in names)


def test_what_two_keepers_signed_is_what_stands_there(host: Host, keys: dict[str, Path]) -> None:
    before = host.state()
    policy = before["etc/runner/agent.toml"].decode()
    assert "format = 1\nsigned = 2\n" in policy
    table = TABLE.replace("floor = 1", "floor = 20")
    text = host.order(table)
    assert "#   - floor = 1\n#   + floor = 20\n" in text
    ended = host.take(text, *by(keys, text, "anna", "karl"))
    assert (ended.code, ended.answer) == (0, {"taken": 1, "policy": True, "program": True})
    after = host.state()
    assert {name for name in after if after[name] != before[name]} == {"etc/runner/agent.toml", "sbin/runner-agent"}
    expected = policy.replace("signed = 2\n", "taken = 1\nsigned = 2\n").replace(TABLE, "") + f"\n{table}"
    assert list(filter(None, after["etc/runner/agent.toml"].decode().split("\n"))) == list(
        filter(None, expected.split("\n"))
    )
    assert OTHER in after["etc/runner/agent.toml"].decode(), "what another key may do is as it was"
    assert after["sbin/runner-agent"] == NEW and (host.folder / "sbin/runner-agent").stat().st_mode & 0o777 == 0o755
    assert host.standing().taken == 1 and host.standing().agent == hashlib.sha256(NEW).hexdigest()
    # It is sent again where nobody heard the answer.
    again = host.take(text, *by(keys, text, "anna", "karl"))
    assert (again.code, again.answer["already"]) == (79, "order 1")
    # Somebody on the host takes it back, and nobody brings it in again.
    host.file("agent.toml").write_text(after["etc/runner/agent.toml"].decode().replace("floor = 20", "floor = 30"))
    again = host.take(text, *by(keys, text, "anna", "karl"))
    assert (again.code, again.answer["error"]) == (1, "that order has the number 1, and 1 was taken here")
    # The next one finds a program that stays.
    text = host.order()
    ended = host.take(text, *by(keys, text, "karl", "anna"))
    assert ended.answer == {"taken": 2, "policy": True, "program": False}, ended


def test_an_order_that_is_not_for_this_host_now_changes_nothing(host: Host, keys: dict[str, Path]) -> None:
    good = host.order()
    before = host.state()
    for was, becomes, code, says in (
        ("5a" * 16, "6b" * 16, 1, "is for the machine 6b6b"),
        ('was = "', 'was = "00', 77, "is not the one that the order was made for"),
        ("keys.papio", "keys.other", 1, "not of the key papio alone"),
    ):
        assert was in good
        text = good.replace(was, becomes)
        ended = host.take(text, *by(keys, text, "anna", "karl"))
        assert ended.code == code and says in str(ended.answer["error"]) and ended.answer["do"], ended
        assert host.state() == before
    ended = host.take(f"{good}# more\n", *by(keys, good, "anna", "karl"))
    assert "none of its keepers has signed" in str(ended.answer["error"]) and host.state() == before


def test_another_program_than_the_order_names_is_not_put_in_place(host: Host, keys: dict[str, Path]) -> None:
    text, junk = host.order(), host.order(program=b"junk")
    before = host.state()
    for given, program, says in (
        (text, NEW[:-1], "is not the one that it names"),
        (text, NEW + b"x", "is not the one that it names"),
        (text, b"", "is not the one that it names"),
        (junk, b"junk", "does not start here"),
    ):
        ended = host.take(given, *by(keys, given, "anna", "karl"), program=program)
        assert ended.code == 1 and says in str(ended.answer["error"]), ended
        assert host.state() == before


def test_what_is_cut_off_between_two_writes_is_done_by_the_same_order(host: Host, keys: dict[str, Path]) -> None:
    text = host.order(TABLE.replace("floor = 1", "floor = 20"))
    given, policy = by(keys, text, "anna", "karl"), host.file("agent.toml").read_bytes()
    full = "mount --bind /etc/runner /etc/runner; mount -o remount,bind,ro /etc/runner"
    ended = host.take(text, *given, first=full)
    assert ended.code == 1 and "Read-only" in str(ended.answer["error"])
    assert (host.folder / "sbin/runner-agent").read_bytes() == NEW and host.file("agent.toml").read_bytes() == policy
    assert host.take(text, *given).answer == {"taken": 1, "policy": True, "program": False}
    assert "floor = 20" in host.file("agent.toml").read_text()


def test_a_host_that_others_may_change_or_that_wants_no_order_takes_none(host: Host, keys: dict[str, Path]) -> None:
    text = host.order()
    given = by(keys, text, "anna", "karl")
    for name in ("agent.toml", "keepers"):
        host.file(name).chmod(0o666)
        before = host.state()
        ended = host.take(text, *given)
        assert "others may change" in str(ended.answer["error"]) and host.state() == before
        host.file(name).chmod(0o600)
    assert host.enrol("", 0).code == 0
    assert "signed" not in host.file("agent.toml").read_text()
    ended = host.take(text, *given)
    assert ended.code == 1 and "takes no order from afar" in str(ended.answer["error"])


def test_a_host_is_not_enrolled_with_what_it_could_not_keep(host: Host, keys: dict[str, Path], tmp_path: Path) -> None:
    anna, karl = (allowed(keys[name], name) for name in ("anna", "karl"))
    old = tmp_path / "ssh-keygen"
    old.write_text("#!/bin/sh\necho 'unknown option -- Y' >&2; exit 1\n")
    old.chmod(0o755)
    before = host.state()
    for signers, signed, first, says in (
        (anna, 2, ":", "2 keepers have to sign, and 1 could"),
        (anna + allowed(keys["eve"], "anna"), 2, ":", "2 keepers have to sign, and 1 could"),
        (anna + allowed(keys["anna"], "karl"), 2, ":", "shares it with karl"),
        (anna + allowed(keys["karl"], "*"), 2, ":", "line 2 of the keepers"),
        (anna + allowed(keys["karl"], "karl", "cert-authority"), 2, ":", "line 2 of the keepers"),
        (anna + karl, 2, "mount --bind /dev/null /usr/bin/ssh-keygen", "ssh-keygen"),
        (anna + karl, 2, f"mount --bind {old} /usr/bin/ssh-keygen", "no ssh-keygen that can look at signatures"),
        ("", 0, "mount --bind /dev/null /usr/bin/setpriv", "no /usr/bin/setpriv"),
    ):
        ended = host.enrol(signers, signed, first)
        assert ended.code == 1 and says in str(ended.answer["error"]) and ended.answer["do"], (says, ended)
        assert host.state() == before
