"""What a host says of itself: up since when, who is logged in, what is older than its files."""

from __future__ import annotations

import json
import os
import platform
import struct
import subprocess
import time
from pathlib import Path

import pytest

from runner.agent.answer import table
from runner.agent.host import sessions
from runner.agent.host.contract.sessions import Inhibitor
from runner.agent.packages import kernels, outdated
from runner.agent.packages.contract import Needrestart
from runner.tools import detached
from tests.contract.storehouse import PROGRAM, execute
from tests.contract.two_hosts import wait_for

CAPTURES = Path(__file__).parents[2] / "unit/captures/needrestart"
HOSTILE = b"e\x1b[31mvil"


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_host_says_which_boot_it_is_in_and_where_its_disks_are_mounted() -> None:
    result = execute((*PROGRAM, "up"))
    answer = detached.parse_up(result.out.decode())
    assert answer
    assert answer.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert answer.kernel == platform.release()
    assert answer.up_since
    assert 0 <= time.time() - answer.up_since.timestamp() - float(Path("/proc/uptime").read_text().split()[0]) < 5
    assert answer.systemd == Path("/run/systemd/system").is_dir()


def test_a_probe_is_answered_by_the_program_that_probes() -> None:
    commands = [
        {"id": "up", "argv": list(detached.UP)},
        {"id": "outdated", "argv": list(detached.OUTDATED)},
        {"id": "detached", "argv": [*detached.DETACHED, "--state=/no/such/folder"]},
        {"id": "writes", "argv": ["runner-agent", "detach", "--plan=x", "--step=x", "--", "true"]},
        {"id": "odd", "argv": [*detached.UP, "--odd"]},
    ]
    request = json.dumps({"host": "papio", "commands": commands}).encode()
    readings = execute((*PROGRAM, "probe"), request).answer["readings"]
    assert detached.parse_up(readings["up"]["out"])
    answer = detached.parse_outdated(readings["outdated"]["out"])
    assert answer
    assert (answer.running, readings["outdated"]["exit"]) == (platform.release(), 0)
    assert json.loads(readings["detached"]["out"]) == {"detached": []}
    assert readings["writes"]["exit"] == 1
    assert detached.parse_up(readings["odd"]["out"]) is None


@pytest.mark.skipif(platform.machine() not in ("x86_64", "i686"), reason="the shape of utmp differs")
def test_users_are_those_at_a_terminal_who_are_still_there(tmp_path: Path) -> None:
    def entry(kind: int, pid: int, name: bytes, host: bytes) -> bytes:
        head = struct.pack("=hxxi32s4s32s256s", kind, pid, b"pts/0", b"0", name, host)
        return (head + struct.pack("=hhiii", 0, 0, 1, 1795421700, 0)).ljust(384, b"\0")

    lay(tmp_path, {"proc/41/stat": "", "proc/42/stat": ""})
    (tmp_path / "run").mkdir()
    records = (entry(7, 41, b"amy", HOSTILE), entry(8, 42, b"gone", b""), entry(7, 43, b"dead", b""))
    (tmp_path / "run/utmp").write_bytes(b"".join(records) + b"half a record")
    assert table(sessions.users(tmp_path)) == [
        {"name": "amy", "from": r"e\x1b[31mvil", "since": "2026-11-23T08:15:00.000000Z"}
    ]
    (tmp_path / "run/utmp").unlink()
    assert sessions.users(tmp_path) == ()
    (tmp_path / "run/utmp").mkdir()
    assert sessions.users(tmp_path) is None


def test_only_what_blocks_a_shutdown_is_an_inhibitor(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {
            "run/systemd/inhibit/1": "# private\nWHAT=shutdown:sleep\nMODE=block\nWHO=apt\nWHY=l\\303\\244uft\\n\\033[1m\n",
            "run/systemd/inhibit/2": "WHAT=shutdown\nMODE=delay\nWHO=NetworkManager\nWHY=x\n",
            "run/systemd/inhibit/3": "WHAT=handle-lid-switch\nMODE=block\nWHO=desktop\nWHY=x\n",
        },
    )
    assert sessions.inhibitors(tmp_path) == [Inhibitor("apt", "läuft\\n\\x1b[1m", "shutdown:sleep")]


def test_a_check_under_way_is_seen(tmp_path: Path) -> None:
    program = tmp_path / "e2fsck"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen(
        ("bash", "-c", 'exec -a fsck.ext4 sh -c "read x; :" "$@"', "-", "-a", "-C0", "/dev/sdz1"), stdin=subprocess.PIPE
    ) as check:
        wait_for(lambda: sessions.checking(Path("/")) == ["/dev/sdz1"])
        check.kill()
    assert "/dev/sdz1" not in sessions.read(()).checking


def test_the_newest_kernel_is_the_highest_number_not_the_highest_text(tmp_path: Path) -> None:
    names = ("6.1.0-9-amd64", "6.1.0-50-amd64", "6.1.0-50-amd64.old", "0-rescue-1234", "5.15.0-100-generic")
    lay(tmp_path, {f"boot/vmlinuz-{name}": "" for name in names} | {"boot/.vmlinuz-9.9.hmac": ""})
    assert kernels.newest(tmp_path) == "6.1.0-50-amd64"
    (tmp_path / "boot/vmlinuz-6.1.0-51-amd64").touch()
    assert kernels.newest(tmp_path) == "6.1.0-51-amd64"


RELEASES = (
    "6.1.0-9-amd64", "6.1.0-50-amd64", "5.14.0-70.13.1.el9.x86_64", "5.14.0-362.8.1.el9_3.x86_64",
    "4.18.0-80.el8.x86_64", "2.6.32-754.35.1.el6.x86_64", "2.6.32-5-686", "6.12.48+deb13-amd64",
)  # fmt: skip


def test_an_update_of_red_hats_kernel_is_newer_than_what_it_updates() -> None:
    # As rpm has it, and the boot loader; sort(1) puts the first release of all last.
    old, new, newer = "3.10.0-1160.el7.x86_64", "3.10.0-1160.2.1.el7.x86_64", "3.10.0-1160.105.1.el7.x86_64"
    assert sorted((newer, old, new), key=kernels.order) == [old, new, newer]
    assert max(("5.14.0-503.11.1.el9_5.x86_64", "5.14.0-503.el9.x86_64"), key=kernels.order) == (
        "5.14.0-503.11.1.el9_5.x86_64"
    )


def test_kernels_are_ordered_as_sort_orders_versions() -> None:
    by_sort = subprocess.run(
        ("sort", "--version-sort"), input="\n".join(RELEASES), text=True, capture_output=True, check=True
    )
    assert sorted(RELEASES, key=kernels.order) == by_sort.stdout.split()


@pytest.mark.parametrize(
    ("config", "text", "answer"),
    [
        ("boot/grub/grub.cfg", "\tlinux\t/boot/vmlinuz-6.1.0-51-amd64 root=LABEL=root ro\n", True),
        ("boot/grub2/grub.cfg", "linux16 /vmlinuz-6.1.0-51-amd64 ro\n", True),
        ("boot/grub/grub.conf", "kernel /vmlinuz-6.1.0-51-amd64 ro\n", True),
        ("boot/loader/entries/a.conf", "title x\nversion 6.1.0-51-amd64\n", True),
        ("boot/grub/grub.cfg", "linux /vmlinuz-6.1.0-51-amd64-old\n# vmlinuz-6.1.0-51-amd64\n", False),
        ("boot/other", "", None),
    ],
)
def test_an_entry_of_the_boot_loader_is_looked_for(tmp_path: Path, config: str, text: str, answer: bool | None) -> None:
    lay(tmp_path, {"boot/vmlinuz-6.1.0-51-amd64": "x", "boot/vmlinuz-6.1.0-50-amd64": "x", config: text})
    assert outdated.read((), root=str(tmp_path))["entry"] is answer


def test_an_empty_initrd_is_none(tmp_path: Path) -> None:
    lay(tmp_path, {"boot/vmlinuz-6.1": "x", "boot/initrd.img-6.1": ""})
    assert outdated.read((), root=str(tmp_path))["initrd"] is False
    lay(tmp_path, {"boot/initrd.img-6.1": "x"})
    answer = outdated.read((), root=str(tmp_path))
    assert answer["initrd"] is True
    assert 0 < answer["boot_free"] <= answer["boot_size"]


LIBRARY = "7f00-7f01 r-xp 00001000 fe:00 1234   /usr/lib/x86_64-linux-gnu/libssl.so.3"
SHARED = (
    "7f00-7f01 rw-s 00000000 00:01 4   /dev/zero (deleted)\n7f00-7f01 r-xp 00000000 00:05 9 /memfd:x.so (deleted)\n"
)


def test_services_and_process_1_that_run_old_libraries_are_named(tmp_path: Path) -> None:
    service = "9:name=systemd:/system.slice/{}\n"
    lay(
        tmp_path,
        {
            "proc/1/maps": f"{LIBRARY} (deleted)\n",
            "proc/10/maps": f"{SHARED}{LIBRARY} (deleted)\n",
            "proc/10/cgroup": service.format("ssh.service"),
            "proc/11/maps": f"{SHARED}{LIBRARY}\n",
            "proc/11/cgroup": service.format("cron.service"),
            "proc/12/maps": f"{LIBRARY} (deleted)\n",
            "proc/12/cgroup": "0::/user.slice/user-0.slice/session-3.scope\n",
            "proc/13/cgroup": "0::/system.slice/system-getty.slice/getty@tty1.service\n",
            "run/reboot-required": "",
        },
    )
    (tmp_path / "proc/13/exe").symlink_to("/usr/sbin/agetty (deleted)")
    answer = outdated.read(("--unit=ssh.service",), root=str(tmp_path))
    assert (answer["services"], answer["pid1"]) == (["getty@tty1.service", "ssh.service"], True)
    assert (answer["flag"], answer["needs_restart"]) == (True, True)
    assert outdated.read(("--unit=cron.service",), root=str(tmp_path))["needs_restart"] is False
    assert outdated.condition(tmp_path)["reboot"] == [
        "process 1 runs files that were replaced",
        "a package asked for it (/run/reboot-required)",
    ]


def test_a_real_program_that_was_replaced_is_old(tmp_path: Path) -> None:
    folder = Path("/opt/runner-test")
    if os.geteuid() != 0 or folder.exists():
        pytest.skip("needs a place of its own below /opt")
    folder.mkdir()
    try:
        library = folder / "lib demo.so"
        with subprocess.Popen(
            ("python3", "-c", f"import mmap,time;f=open({str(library)!r},'w+b');f.write(b'x'*4096);f.flush();"
             "m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ|mmap.PROT_EXEC);print(1,flush=True);time.sleep(60)"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdout
            process.stdout.readline()
            maps = Path(f"/proc/{process.pid}/maps")
            assert outdated.GONE.search(maps.read_bytes()) is None
            library.unlink()
            assert outdated.GONE.search(maps.read_bytes())
            process.kill()
    finally:
        for path in (*folder.iterdir(), folder):
            path.rmdir() if path.is_dir() else path.unlink()


def test_what_needrestart_says_goes_first() -> None:
    answer = outdated.needrestart((CAPTURES / "man-5-needrestart-b.stdout").read_text())
    assert answer
    assert "ssh.service" in answer.services
    assert "systemd-manager" not in answer.services
    assert (answer.pid1, answer.needrestart) == (True, Needrestart(3))
    old_kernel = outdated.needrestart((CAPTURES / "reboot-old-kernel-detect.stdout").read_text())
    assert old_kernel
    assert (old_kernel.services, old_kernel.needrestart) == ([], Needrestart(3))
    assert outdated.needrestart("") is None


def test_what_was_installed_since_the_boot_is_known_without_any_flag(tmp_path: Path) -> None:
    booted = int(time.time()) - 3600
    status = "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: {arch}\nVersion: 2\nDescription: x\n"
        f"Maintainer: x <x@example.org>\n\n"
        for name, arch in (("libssl3", "amd64"), ("dbus", "all"))
    )
    lay(
        tmp_path,
        {
            "proc/stat": f"cpu 1 2\nbtime {booted}\n",
            "var/lib/dpkg/status": status,
            "var/lib/dpkg/info/libssl3:amd64.list": "",
            "var/lib/dpkg/info/dbus.list": "",
            "var/lib/runner/since-boot.json": json.dumps({"boot_id": "another", "changed": [["systemd", "1"]]}),
        },
    )
    os.utime(tmp_path / "var/lib/dpkg/info/dbus.list", (booted - 60, booted - 60))
    assert outdated.read((), root=str(tmp_path))["changed"] == [["libssl3", "2"]]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    noted = {"boot_id": boot, "changed": [["systemd", "252"], ["libssl3", "1"]]}
    (tmp_path / "var/lib/runner/since-boot.json").write_text(json.dumps(noted))
    assert outdated.read((), root=str(tmp_path))["changed"] == [["libssl3", "2"], ["systemd", "252"]]
