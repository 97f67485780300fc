"""What is asked of a host around a reboot, with real processes, locks, mounts, pages and boots."""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import os
import shlex
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.agent.power import idle, returned
from runner.agent.power.contract import LookAfterBoot
from runner.jobs.power import agent
from runner.model.plan import Argv
from runner.tools import agent as store
from tests.contract.storehouse import ENVIRONMENT, PROGRAM, Said, Storehouse, execute

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
WORLD = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
HERE = "runner-agent"


def run(*argv: str) -> Said:
    return execute((*PROGRAM, *argv))


def tool(argv: Argv) -> Said:
    """What the runner would call, with the program as it is in this tree."""
    return execute((*PROGRAM, *argv[1:]))


def alone(script: str, *words: str, argv: tuple[str, ...]) -> Said:
    """Run the program after `script`, in a world in which nothing else runs."""
    whole = f'{script}; exec "$@"'
    return execute((*WORLD, "sh", "-c", whole, *(words or ("sh",)), *PROGRAM, *argv))


def looked_at(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer as it was printed, without the fields of other looks."""
    return {key: value for key, value in answer.items() if value not in ("", None, [])}


def test_where_nothing_is_at_work_it_is_idle() -> None:
    result = alone("true", argv=("idle", f"--boot={BOOT}"))
    assert (result.code, result.answer) == (0, {"idle": True, "error": "", "do": ""})


@pytest.mark.parametrize(
    "argv",
    ["dpkg --audit", "rpm --root=/ -qa", "tune2fs -l -- /dev/sda1", "apt-get -q check", "apt-get -qq -s upgrade"],
)
def test_what_only_reads_is_not_at_work(tmp_path: Path, argv: str) -> None:
    # Such as our own looks at the host, which are taken beside this one.
    name, _, words = argv.partition(" ")
    (tmp_path / name).write_text("#!/bin/sh\nsleep 30; :\n")
    (tmp_path / name).chmod(0o755)
    result = alone(f'"$0" {words} & sleep 0.3', str(tmp_path / name), argv=("idle",))
    assert result.answer.get("idle") is True, result.answer
    assert idle._reads(name, [b"--configure", b"-a"]) is idle._reads(name, [b"install", b"x=-s1"]) is False


# Each look asks rsync for its version, and here that takes as long as on a host that is busy.
SLOW = """#!/bin/sh
sleep 0.3
exec /usr/bin/rsync "$@"
"""
LOOKS = """mount -t tmpfs tmpfs /usr/local/sbin && printf %s "$SLOW" >/usr/local/sbin/rsync && chmod 755 /usr/local/sbin/rsync
for each in $(seq $MANY); do
  printf %s "$ASK" | "$@" probe >"$OUT/$each" &
  [ $((each % 5)) != 0 ] || wait
done
"""


def looks(folder: Path, many: int, before: str = "") -> list[dict[str, Any]]:
    """What `many` looks at this host, five at a time, say: is it idle? Nothing runs there but what `before` begins."""
    question = {"commands": [{"id": "idle", "argv": ["runner-agent", "idle"]}]}
    environment = {**ENVIRONMENT, "SLOW": SLOW, "ASK": json.dumps(question), "OUT": str(folder), "MANY": str(many)}
    script = ("sh", "-c", before + LOOKS, "sh", *PROGRAM)
    subprocess.run((*WORLD, *script), env=environment, check=True, timeout=60, capture_output=True)
    readings = [json.loads((folder / str(each)).read_text())["readings"]["idle"] for each in range(1, many + 1)]
    return [json.loads(reading["out"]) for reading in readings]


def test_of_an_idle_host_twenty_looks_of_twenty_say_so(tmp_path: Path) -> None:
    assert looks(tmp_path, 20) == [{"idle": True, "error": "", "do": ""}] * 20


def test_beside_our_own_questions_a_real_rsync_is_seen(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    answers = looks(tmp_path, 5, '(rsync --bwlimit=1 -- "$OUT/file" "$OUT/copy" & sleep 0.3)\n')
    assert {answer["idle"] for answer in answers} == {False}
    for answer in answers:
        reasons = answer["error"].split("; ")
        # Its sender, its receiver and its generator.
        assert len(reasons) == 3 and all(why.startswith("rsync (process ") for why in reasons), reasons


@pytest.mark.parametrize("name", ["rsync", "pg_dump", "e2fsck", "update-initramfs"])
def test_a_program_that_writes_is_named(tmp_path: Path, name: str) -> None:
    shutil.copy("/bin/sleep", tmp_path / name)
    result = alone('"$0" 30 & sleep 0.2', str(tmp_path / name), argv=("idle",))
    assert result.code == 1
    assert result.answer["idle"] is False
    assert result.answer["error"].startswith(f"{name[:15]} (process ")


def test_an_rsync_that_waits_for_callers_is_no_work(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text(f"port = 0\npid file = {tmp_path}/pid\n")
    script = 'rsync --daemon --no-detach --port=18730 --address=127.0.0.1 --config="$0" & sleep 0.5; kill -0 $!'
    result = alone(script, str(tmp_path / "conf"), argv=("idle",))
    assert result.answer == {"idle": True, "error": "", "do": ""}


def test_an_rsync_that_serves_a_caller_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    (tmp_path / "conf").write_text(f"port = 0\npid file = {tmp_path}/pid\n[all]\npath = {tmp_path}\n")
    script = (
        'rsync --daemon --no-detach --port=18730 --address=127.0.0.1 --config="$0/conf" & sleep 0.5; '
        "exec 7<>/dev/tcp/127.0.0.1/18730; sleep 0.5"
    )
    words = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec bash -c "$@"', "sh")
    result = execute((*WORLD, *words, f'{script}; exec "$@"', str(tmp_path), *PROGRAM, "idle"))
    assert result.answer["error"].startswith("rsync (process ") and result.code == 1


def test_the_name_of_a_process_cannot_say_more_than_a_name(tmp_path: Path) -> None:
    # A process may call itself anything; only the names that are known are told.
    rename = 'python3 -c "import time; open(\\"/proc/self/comm\\",\\"w\\").write(\\"rsync\\\\n{\\"); time.sleep(30)" &'
    result = alone(f"{rename} sleep 0.5", argv=("idle",))
    assert result.answer == {"idle": True, "error": "", "do": ""}


def test_it_is_not_idle_in_another_boot_or_when_the_window_has_closed() -> None:
    result = run("idle", "--boot=11111111-2222-3333-4444-555555555555")
    assert result.code == 1
    assert result.answer["error"] == "the host was restarted since the plan was made"
    result = run("idle", f"--boot={BOOT}", "--by=2020-01-01T00:00:00Z")
    assert "it was to happen before 2020-01-01T00:00:00Z" in result.answer["error"]


def test_who_holds_the_lock_of_dpkg_is_at_work(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg"
    folder.mkdir(parents=True)
    (folder / "lock-frontend").touch()
    assert list(idle._locked(tmp_path)) == []
    with (folder / "lock-frontend").open("r+b") as file:
        child = subprocess.Popen(
            ("python3", "-c", "import fcntl,sys; fcntl.lockf(0, fcntl.LOCK_EX); print(flush=True); sys.stderr.read()"),
            stdin=file, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout
        try:
            child.stdout.readline()
            assert list(idle._locked(tmp_path)) == [
                f"process {child.pid} works on the packages (it holds /var/lib/dpkg/lock-frontend)"
            ]
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def test_a_store_that_somebody_holds_is_not_idle(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    with house.held("plan-7"):
        result = run("idle", f"--store={house.root}")
        assert f"a test holds the store {house.root}" in result.answer["error"]
    assert f"holds the store {house.root}" not in run("idle", f"--store={house.root}").answer.get("error", "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("dump", "somebody works on the dumps"),
        ("drill", "somebody runs a restore drill"),
        ("restore-db", "somebody restores a database"),
    ],
)
def test_who_works_with_databases_is_named_also_between_two_programs_and_only_before_we_take_that_ourselves(
    name: str, told: str
) -> None:
    take = f"{shlex.join(PROGRAM)} hold-host {name} --plan=p --who=somebody >/run/told &"
    script = f"mount -t tmpfs tmpfs /run; sleep 30 | {take} until [ -s /run/told ]; do sleep 0.1; done"
    assert told in alone(script, argv=("idle",)).answer["error"]
    assert alone(script, argv=("idle", f"--boot={BOOT}")).answer == {"idle": True, "error": "", "do": ""}


def test_the_reading_of_a_probe_and_of_the_program_are_the_same() -> None:
    assert agent.parse_idle(json.dumps({"idle": True})) == ""
    assert agent.parse_idle(json.dumps({"error": "rsync is at work", "do": "wait"})) == "rsync is at work"
    for nonsense in ("", "{}", "[]", "no json", json.dumps({"idle": "yes"})):
        assert agent.parse_idle(nonsense) is None


def test_the_boot_that_answers_is_only_another_one_when_it_is() -> None:
    same = tool(agent.is_back("h", agent.Boot(program=HERE, id=BOOT)).argv)
    assert (same.code, same.answer["returned"]) == (1, False)
    assert "still in the boot from before" in same.answer["error"]
    other = tool(agent.is_back("h", agent.Boot(program=HERE, id="another")).argv)
    assert (other.code, other.answer["returned"], other.answer["boot_id"]) == (0, True, BOOT)
    # Not knowing what it was is not having changed.
    assert run("returned", "back").answer["returned"] is False


def test_the_kernel_that_runs_is_compared_with_the_one_that_should() -> None:
    running = os.uname().release
    right = tool(agent.returned(HERE, LookAfterBoot("kernel", is_=running))).answer
    assert looked_at(right) == {"returned": True, "running": running}
    wrong = tool(agent.returned(HERE, LookAfterBoot("kernel", is_="9.9.9-new")))
    assert wrong.code == 1
    assert wrong.answer["error"] == f"the kernel that runs is {running}, not 9.9.9-new"


def test_a_disk_that_is_not_mounted_or_is_another_is_named(tmp_path: Path) -> None:
    image, point = tmp_path / "image", tmp_path / "point"
    point.mkdir()
    uuid = "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55"
    subprocess.run(("mke2fs", "-q", "-t", "ext3", "-U", uuid, str(image), "2M"), check=True)
    missing = run("returned", "mounted", f"--at={point}")
    assert f"nothing is mounted at {point}" in missing.answer["error"]

    def mounted(options: str, *wanted: str) -> dict[str, Any]:
        words = (str(image), str(point))
        script = f'mount -o {options} "$0" "$1"; shift'
        return alone(script, *words, argv=("returned", "mounted", f"--at={point}", *wanted)).answer

    right = mounted("loop", f"--uuid={uuid.upper()}", "--writable")
    assert looked_at(right) == {"returned": True, "uuid": uuid}
    other = mounted("loop", "--uuid=11111111-2222-3333-4444-555555555555")
    assert other["error"] == f"another filesystem is mounted at {point}: {uuid}"
    assert "is mounted read-only" in mounted("loop,ro", "--writable")["error"]
    assert mounted("loop,ro", f"--uuid={uuid}")["returned"] is True


SYSTEMD = (
    'mount -t tmpfs none /run; mkdir -p /run/systemd/system; mount -t tmpfs none /usr/local/sbin; '
    'printf "#!/bin/sh\\n%s\\n" "$0" > /usr/local/sbin/systemctl; chmod +x /usr/local/sbin/systemctl'
)  # fmt: skip


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ('case $1 in is-*) echo degraded; exit 1;; *) echo old.service loaded failed failed Old;; esac', True),
        ('case $1 in is-*) echo degraded; exit 1;; *) echo new.service loaded failed failed New;; esac', False),
        ('case $1 in is-*) echo running;; esac', True),
        ('echo "Failed to connect to bus" >&2; exit 1', False),
        ('case $1 in is-*) echo degraded; exit 1;; *) echo "Connection timed out" >&2; exit 1;; esac', False),
    ],
)  # fmt: skip
def test_no_unit_has_failed_only_where_systemd_says_so(says: str, found: bool) -> None:
    result = alone(SYSTEMD, says, argv=("returned", "units", "--known=old.service"))
    assert (result.answer["returned"], result.code) == (found, 0 if found else 1)


def test_where_no_kernel_is_found_nobody_says_that_the_right_one_runs() -> None:
    result = alone("mount -t tmpfs none /boot", argv=("returned", "kernel"))
    assert (result.answer["returned"], result.code) == (False, 1)
    assert alone("mount -t tmpfs none /boot", argv=("returned", "kernel", f"--is={os.uname().release}")).code == 0


def test_a_service_that_does_not_run_is_named() -> None:
    result = tool(agent.returned(HERE, LookAfterBoot("active", unit="no-such-thing.service")))
    assert result.code == 1
    assert result.answer["returned"] is False
    assert "no-such-thing.service does not run" in result.answer["error"]


def test_a_database_that_does_not_answer_is_named() -> None:
    result = tool(agent.returned(HERE, LookAfterBoot("database")))
    assert result.answer["returned"] is (result.code == 0)
    assert result.code == 0 or "the database does not answer" in result.answer["error"]


def test_what_there_is_to_look_at_is_told() -> None:
    result = run("returned", "everything")
    assert result.code == 1
    assert "back, settled, kernel, mounted, active, units, database" in result.answer["do"]


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code = self.path.strip("/").partition("?")[0]
        if code == "slow":
            time.sleep(1)
        self.send_response(int(code) if code.isdigit() else 200)
        self.send_header("Location", "/500")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "answers"),
    [("", True), ("/", True), ("/204", True), ("/302", True), ("/401", True), ("/403", False), ("/404", False),
     ("/500", False), ("/503?a=b", False)],
)  # fmt: skip
def test_a_page_answers_or_not(pages: str, path: str, answers: bool) -> None:
    answer = returned.look_at_page(pages + path)
    assert answer.answers is answers
    assert bool(answer.error) is not answers


def test_the_program_says_what_the_page_answered(pages: str) -> None:
    good, bad = run("page", f"{pages}/200"), run("page", f"{pages}/503")
    assert (good.code, looked_at(good.answer)) == (0, {"answers": True, "status": 200})
    assert (bad.code, bad.answer["status"]) == (1, 503)


def raw(answer: bytes) -> Callable[[socket.socket], None]:
    def talk(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            talking, _ = listening.accept()
            with talking:
                talking.recv(4096)
                # Reset rather than closed, where there is nothing to say.
                talking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(not answer), 0))
                talking.sendall(answer)

    return talk


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x16\x03\x01" * 99])
def test_what_is_no_web_server_does_not_answer(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=raw(answer), args=(listening,))
        thread.start()
        found = returned.look_at_page(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert found.answers is False
    assert found.error and found.error.isprintable()


def test_nobody_listening_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert returned.look_at_page(f"http://127.0.0.1:{port}/").answers is False


@pytest.mark.parametrize(
    "url",
    ["ftp://host/", "file:///etc/passwd", "http://", "http://user:pw@host/", "http://host:port/", "host", "http://["],
)
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    result = run("page", url)
    assert result.code == 1
    assert "not the address of a page" in result.answer["error"]


def test_a_store_is_let_go_by_the_plan_that_holds_it_and_no_other(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    with house.held("plan-7") as holder:
        other = run("release", str(house.root), "--plan=plan-8")
        assert (other.code, other.answer["holder"]["plan"]) == (75, "plan-7")
        assert holder.poll() is None
        result = run("release", str(house.root), "--plan=plan-7")
        assert (result.code, result.answer) == (0, {"free": True})
        assert holder.wait(5) == -15
    assert run("release", str(house.root), "--plan=plan-7").answer == {"free": True}
    assert run("release", str(tmp_path / "nowhere"), "--plan=plan-7").answer == {"free": True}


def test_a_verb_at_work_is_waited_for_and_never_ended(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    with house.held("plan-7") as holder:
        descriptor = os.open(house.root / ".runner/lock", os.O_RDWR)
        fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, 1)
        result = run("release", str(house.root), "--plan=plan-7", "--within=1")
        assert result.code == 75
        assert holder.wait(5) == -15
        threading.Timer(0.5, os.close, (descriptor,)).start()
        assert run("release", str(house.root), "--plan=plan-7").answer == {"free": True}


def test_an_old_text_in_the_lock_ends_nobody(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    with house.held("plan-7") as holder:
        lock = house.root / ".runner/lock"
        told = json.loads(lock.read_text())
        with lock.open("r+b") as file:
            file.write(json.dumps({**told, "pid": os.getpid()}).encode().ljust(4096))
        assert run("release", str(house.root), "--plan=plan-7", "--within=1").code == 75
        assert holder.poll() is None


def test_a_store_is_taken_over_from_the_plan_that_was_named(tmp_path: Path) -> None:
    house = Storehouse(root=tmp_path / "store", source=tmp_path)
    at = store.At(program=HERE, path=str(house.root), plan="plan-8")
    argv = (*PROGRAM, *agent.take_over(at, holder="plan-7", who="halt")[1:])
    with house.held("plan-6") as holder:
        assert execute(argv).code == 75
        assert holder.poll() is None
    with (
        house.held("plan-7") as holder,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as taken,
    ):
        assert taken.stdin
        assert taken.stdout
        assert json.loads(taken.stdout.readline()) == {"held": True}
        assert holder.wait(5) == -15
        assert run("hold", str(house.root), "--plan=plan-7").answer["holder"]["plan"] == "plan-8"
        taken.stdin.close()
        assert taken.wait(5) == 0


def test_systemd_tells_its_version_and_who_has_none_says_nothing() -> None:
    assert agent.parse_version("systemd 252 (252.39-1~deb12u1)\n+PAM") == 252
    assert agent.parse_version("systemd 257~rc1 (x)") == 257
    assert agent.parse_version("") == agent.parse_version("upstart 1.0") == 0


def test_sessions_are_counted_or_not_known() -> None:
    assert agent.parse_sessions("sessions 0\n") == 0
    assert agent.parse_sessions("sessions 12\n") == 12
    for nonsense in ("", "sessions", "sessions -1", "psql: error: connection refused", "sessions ٣"):
        assert agent.parse_sessions(nonsense) is None
    argv = agent.sessions()
    assert argv[-1] == "postgres"
    assert execute(argv).code != 0 or agent.parse_sessions(execute(argv).out.decode()) is not None
