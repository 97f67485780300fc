"""jobs.toml as people write it: what loads, and what is said about what does not."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.config.load import load
from runner.model.errors import ConfigError
from runner.model.options import SnapshotOptions
from runner.model.plan import Effect
from runner.model.site import Amount, Retention, Site
from runner.tools import secret
from tests.contract.jobs_schema import KINDS, ROOT

SAMPLES = Path(__file__).parents[1] / "jobs"
EXAMPLE = ROOT / "jobs.toml"
KEY = re.compile(r"(?:^|[{,] ?)([a-z_]+) *=|^\[([a-z]+)")


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, kinds=KINDS, acting=secret.complaint)
    assert caught.value.code == 2
    return list(caught.value.problems)


def write(folder: Path, text: str) -> Path:
    path = folder / "jobs.toml"
    path.write_text(text)
    return path


def test_the_example_says_what_the_administration_guide_asks_for() -> None:
    site = load(EXAMPLE, kinds=KINDS)
    assert not site.live
    assert site.unattended is Effect.EXPIRE
    share = Amount(percent=5)
    retention = Retention(min=30, max=400, per_day=3, expire_usual=3, free_space=share, free_inodes=share)
    assert [store.retention for store in site.stores] == [retention, retention]
    assert site.disk("papio-snapshots").fsck_every == timedelta(days=120)
    assert site.job("backup-papio").options == SnapshotOptions(store="papio")
    assert [hook.module for hook in site.hooks] == ["hooks.announce", "hooks.mail", "hooks.fsck"]
    assert {job.kind for job in site.jobs} >= {"updates", "upgrade", "reboot", "halt", "access"}
    assert site.digest == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('expected = ["192.0.2.300"]', "jobs.access-papio.expected[1]: '192.0.2.300' is not an address or a network"),
        ('expected = ["192.0.2.0/33"]', "jobs.access-papio.expected[1]: '192.0.2.0/33' is not an address or a network"),
        ('hours = "8d"', "jobs.access-papio.hours: '8d' is more than a week"),
    ],
)  # fmt: skip
def test_what_an_access_job_cannot_mean_is_told_with_the_rest(line: str, told: str, tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace('kind     = "access"', f'kind = "access"\n{line}')
    (problem,) = problems(write(tmp_path, text))
    assert told in problem


@pytest.mark.parametrize(
    "other", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace(" = ", "\t=\t")],
    ids=["a mark before the text", "line ends of Windows", "tabs"],
)  # fmt: skip
def test_what_other_editors_write_is_no_mistake(other: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "jobs.toml").write_bytes(other((SAMPLES / "valid" / "sandbox.toml").read_text()).encode())
    assert load(tmp_path / "jobs.toml", kinds=KINDS).name == "sandbox"


def test_in_the_sandbox_every_path_lies_beside_jobs_toml(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "valid" / "sandbox.toml", tmp_path / "jobs.toml")
    site = load(tmp_path / "jobs.toml", kinds=KINDS)
    assert (site.folder, site.sandbox) == (str(tmp_path), f"{tmp_path}/sandbox")
    assert site.state == f"{tmp_path}/sandbox/state"
    assert site.host("papio").at("/srv/own") == f"{tmp_path}/sandbox/papio/srv/own"
    assert site.host("papio").stand_ins == ("/etc",)
    assert list(tmp_path.iterdir()) == [tmp_path / "jobs.toml"]


def test_a_live_site_is_the_hosts_themselves(tmp_path: Path) -> None:
    site = load(SAMPLES / "valid" / "everything.toml", kinds=KINDS)
    assert [(host.root, host.stand_ins) for host in site.hosts] == [("", ()), ("", ())]
    assert site.state == "/var/lib/runner"
    relative = write(tmp_path, (SAMPLES / "valid" / "sandbox.toml").read_text().replace("live = false", "live = true"))
    assert load(relative, kinds=KINDS).state == f"{tmp_path}/somewhere"


@pytest.mark.parametrize(
    ("schedule", "per_day"), [("15 3 * * *", 3), ("0 * * * *", 26), ("0 8-18/2 * * 1-5", 8), ("", 3), ("0 0 * * 0", 3)]
)
def test_a_day_may_have_as_many_snapshots_as_its_job_fires_and_two(schedule: str, per_day: int, tmp_path: Path) -> None:
    line = f'schedule = "{schedule}"' if schedule else ""
    text = EXAMPLE.read_text().replace('schedule  = "15 3 * * *"', line)
    assert load(write(tmp_path, text), kinds=KINDS).store("papio").retention == replace(
        load(EXAMPLE, kinds=KINDS).store("backup-server1").retention or Retention(min=1, max=1),
        per_day=per_day,
        expire_usual=per_day,
    )


def test_as_many_usually_expire_as_all_jobs_of_the_store_make_in_a_day_and_two(tmp_path: Path) -> None:
    text = (SAMPLES / "valid" / "everything.toml").read_text().replace("expire_usual = 9\n", "")
    # The first is made twelve times on a day, the second has no schedule.
    made = load(write(tmp_path, text), kinds=KINDS)
    assert (made.store("papio").retention or Retention(min=1, max=1)).expire_usual == 12 + 1 + 2
    assert load(EXAMPLE, kinds=KINDS).keepers == f"{EXAMPLE.parent}/keepers"


def test_every_key_of_the_full_sample_reaches_the_site() -> None:
    site = load(SAMPLES / "valid" / "everything.toml", kinds=KINDS)
    host, disk, store = site.host("backup-server1"), site.disk("papio.snapshots"), site.store("papio")
    assert (host.address, host.user, host.port, host.packages) == ("fd00::2", "backup", 2222, "apt")
    assert (host.jump, host.key) == ("ops@gate.test", "/root/.ssh/backup")
    assert (host.hold, host.filesystems) == (("linux-image-*", "libc6"), ())
    assert site.host("papio").filesystems == ("/", "/home")
    assert (disk.bytes_per_inode, disk.filesystem, disk.uuid[:8]) == (8192, "ext4", "0a4f3c1e")
    assert store.retention == Retention(
        min=30, max=30, per_day=5, expire_usual=9, free_space=Amount(bytes=20 * 2**30), free_inodes=Amount(percent=2.5)
    )
    first, second = site.jobs
    assert first.options == SnapshotOptions(
        store="papio",
        exclude=("/home/snapshots", "/var/cache"),
        accept=("/home/anna/mnt",),
        filesystems=("/home",),
        timeout=timedelta(minutes=90),
    )
    assert (second.after, second.schedule) == (("first",), "")
    assert (site.ask_code, site.two_keepers, site.keepers) == (True, True, "/etc/runner/keepers")
    assert site.people.experts == ("a.b+c@site.test",)
    assert [hook.module for hook in site.hooks] == ["hooks.fsck", "hooks.mail", "mysite.quota", "mysite.other"]
    assert (site.unattended, site.timezone) == (Effect.WRITE, "Europe/Berlin")


@pytest.mark.parametrize("sample", sorted((SAMPLES / "valid").glob("*.toml")), ids=lambda path: path.stem)
def test_valid_samples_load(sample: Path) -> None:
    assert isinstance(load(sample, kinds=KINDS, acting=secret.complaint), Site)


def test_a_secret_that_others_know_is_told_with_all_the_rest(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("key", "mail", "announce", "good")}
    for path in files.values():
        path.write_text("canary")
        path.chmod(0o600 if path.name == "good" else 0o644)
    smtp = 'smtp = {{ host = "localhost", user = "runner", password_file = "{}" }}\n'
    text = (
        '[site]\nname = "babase"\ncontroller = "papio"\nlive = true\n[people]\nadmin = ["root@localhost"]\n'
        'users = ["users@localhost"]\n[hosts.papio]\n[hosts.backup-server1]\naddress = "192.168.199.2"\n'
        f'key = "{files["key"]}"\n[hosts.other]\naddress = "192.168.199.3"\nkey = "{tmp_path}/nowhere"\n'
        f"[hooks.mail]\n{smtp.format(files['mail'])}[hooks.announce]\n{smtp.format(files['announce'])}"
    )
    say = "{} holds a secret, and others may read it (mode 0644); chmod 600 {}"
    assert problems(write(tmp_path, text)) == [
        f"jobs.toml:11: hosts.backup-server1.key: {say.format(files['key'], files['key'])}",
        f"jobs.toml:16: hooks.mail.smtp.password_file: {say.format(files['mail'], files['mail'])}",
        f"jobs.toml:18: hooks.announce.smtp.password_file: {say.format(files['announce'], files['announce'])}",
    ]
    for path in files.values():
        path.chmod(0o600)
    assert load(write(tmp_path, text), kinds=KINDS, acting=secret.complaint).live
    files["mail"].chmod(0o644)
    # Who only asks, or gets something back, goes on; and the sandbox takes no secret.
    assert load(write(tmp_path, text), kinds=KINDS).live
    assert not load(
        write(tmp_path, text.replace("live = true", "live = false")), kinds=KINDS, acting=secret.complaint
    ).live


@pytest.mark.parametrize("sample", sorted((SAMPLES / "invalid").glob("*.toml")), ids=lambda path: path.stem)
def test_invalid_samples_are_told_everything_at_once(sample: Path) -> None:
    assert problems(sample) == sample.with_suffix(".expected").read_text().splitlines()


def test_of_a_table_that_is_wrong_nobody_says_that_the_rest_of_it_is_missing(tmp_path: Path) -> None:
    text = (SAMPLES / "valid" / "everything.toml").read_text()
    assert 'admin = ["root"]' in text
    (problem,) = problems(write(tmp_path, text.replace('admin = ["root"]', 'admin = "root@localhost"')))
    assert "people.admin: " in problem and "is missing" not in problem


def misspellings() -> Iterator[tuple[int, str, str]]:
    """Write each key of the example once with a letter doubled: its line, the key, the whole text."""
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        for found in KEY.finditer(line.partition("#")[0]):
            place = found.lastindex or 0
            key, at = found[place], found.start(place) + 1
            worse = [*lines[:number], line[:at] + line[at] + line[at:], *lines[number + 1 :]]
            yield number + 1, key, "".join(worse)


@pytest.mark.parametrize(
    ("line", "key", "text"), [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in misspellings()]
)
def test_a_misspelt_key_is_one_problem_in_its_line_with_the_right_key(
    line: int, key: str, text: str, tmp_path: Path
) -> None:
    (problem,) = problems(write(tmp_path, text))
    assert problem.startswith(f"jobs.toml:{line}: ")
    assert f"did you mean '{key}'?" in problem


def test_every_key_of_the_example_was_misspelt() -> None:
    def values(table: object) -> int:
        return sum(map(values, table.values())) if isinstance(table, dict) else 1

    text = EXAMPLE.read_text()
    headers, inline = len(re.findall(r"^\[", text, re.MULTILINE)), text.count("{")
    assert len(list(misspellings())) == values(tomllib.loads(text)) + headers + inline


def test_a_file_that_is_not_there_is_a_problem_like_any_other(tmp_path: Path) -> None:
    assert problems(tmp_path / "jobs.toml") == ["jobs.toml: cannot be read: No such file or directory"]
    assert problems(tmp_path) == [f"{tmp_path.name}: cannot be read: Is a directory"]


def test_a_very_deep_file_is_refused_in_words(tmp_path: Path) -> None:
    for text in ("x = " + "[" * 5000 + "]" * 5000, ".".join("a" * 3000) + " = 1", "x = 1" + "0" * 5000):
        (problem,) = problems(write(tmp_path, text))
        assert problem.startswith("jobs.toml:1: ")


@pytest.mark.parametrize(
    ("text", "alone"),
    [("x = y", True), ("x = 1" + "0" * 30, True), ("x = " + "[" * 5000, True), ("x = 1", False), ("", False)],
)
def test_what_hides_the_rest_says_so(text: str, alone: bool, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), kinds=KINDS)
    assert (
        "\n  -> mend this first: the rest of the file is looked at once it can be read" in str(caught.value)
    ) == alone


def test_a_symbolic_link_in_front_of_the_folder_does_not_move_the_sandbox(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    shutil.copy(SAMPLES / "valid" / "sandbox.toml", real / "jobs.toml")
    (tmp_path / "link").symlink_to(real)
    assert load(tmp_path / "link" / "jobs.toml", kinds=KINDS).folder == str(real)


@pytest.mark.parametrize("folder", ["jobs-sandbox-itself", "sandbox", "sandbox/papio", ""])
def test_nothing_stands_in_for_a_host_that_the_sandbox_writes(folder: str, tmp_path: Path) -> None:
    (tmp_path / "sandbox" / "papio").mkdir(parents=True)
    (tmp_path / "jobs-sandbox-itself").symlink_to(tmp_path / "sandbox")
    stand_in = str(tmp_path / folder) if folder else str(tmp_path)
    text = (SAMPLES / "valid" / "sandbox.toml").read_text().replace('["/etc"]', f'["{stand_in}"]')
    (problem,) = problems(write(tmp_path, text))
    assert "the sandbox" in problem


def test_a_kind_whose_options_contradict_its_schema_is_told_at_the_job(tmp_path: Path) -> None:
    class Wrong:
        name = "snapshot"
        options = Retention
        schema = KINDS["snapshot"].schema
        probes = KINDS["snapshot"].probes
        draft = KINDS["snapshot"].draft

    with pytest.raises(ConfigError) as caught:
        load(SAMPLES / "valid" / "sandbox.toml", kinds={"snapshot": Wrong()})
    (problem,) = caught.value.problems
    assert problem.startswith("sandbox.toml:14: jobs.own: kind 'snapshot' does not take what its schema allows")


def test_a_plugins_open_table_still_needs_its_required_keys(tmp_path: Path) -> None:
    class Open:
        name = "open"
        options = SnapshotOptions
        schema: dict[str, Any] = {
            "properties": {"to": {"type": "object", "required": ["host"], "properties": {"host": {}}}}
        }
        probes = KINDS["snapshot"].probes
        draft = KINDS["snapshot"].draft

    text = (
        SAMPLES / "valid" / "smallest.toml"
    ).read_text() + '[jobs.a]\nkind = "open"\nhost = "here"\nto = { hosst = 1 }\n'
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), kinds={"open": Open()})
    assert caught.value.problems == ("jobs.toml:9: jobs.a.to.host: is missing",)


def test_the_example_loads_in_015_seconds_and_jsonschema_only_then() -> None:
    code = (
        "import sys, time; from pathlib import Path; from tests.contract.jobs_schema import KINDS;"
        "from runner.config.load import load; assert 'jsonschema' not in sys.modules;"
        "start = time.process_time(); load(Path('jobs.toml'), kinds=KINDS); print(time.process_time() - start)"
    )
    runs = [
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(runs) < 0.15
