"""What a confined program sees, as a table, and the filter of its calls, played."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from runner.agent.confined import programs
from runner.agent.confined.calls import ALLOW, ERRNO, MACHINES, refusing
from runner.agent.confined.receiver import _CONNECTED
from runner.agent.confined.view import LOCAL, View, places
from runner.hosts import ssh_through

NO, NONE, NO_TERMINAL = (ERRNO | number for number in (errno.EPERM, errno.ENOSYS, errno.ENOTTY))


def test_only_what_is_named_is_writable_and_what_is_in_another_comes_after_it() -> None:
    view = View(("/srv/store/.incoming/one", "/usr/local/restored"), ("/srv/store/old/home", "/srv/state/ssh.py"))
    seen = places(view, ("/", "/usr", "/usr/share", "/srv/store", "/home", "/usr/local/restored/deep"))
    paths = [place.path for place in seen]
    assert {place.path for place in seen if place.writable} == {
        "/srv/store/.incoming/one",
        "/usr/local/restored",
        "/usr/local/restored/deep",
    }
    for place in seen:
        above = [path for path in paths if place.path.startswith(f"{path}/")]
        assert all(paths.index(path) < paths.index(place.path) for path in above)
    assert not {"/", "/home", "/root", "/etc", "/var", "/srv/store", "/proc"} & set(paths)
    assert "/usr/share" in paths and len(paths) == len(set(paths))


def test_what_is_in_a_place_that_can_be_written_is_no_place_of_its_own() -> None:
    inner = "/srv/store/.incoming/one/0/evil"
    seen = places(View(("/srv/store/.incoming/one",), (inner, "/srv/store/.incoming/one")), ())
    assert [place.path for place in seen if place.path.startswith("/srv")] == ["/srv/store/.incoming/one"]
    assert next(place for place in seen if place.path.startswith("/srv")).writable


def test_nothing_can_be_executed_but_what_is_of_the_host_s_programs() -> None:
    seen = places(View(("/srv/one", "/usr/local"), ("/srv/old",)), ("/usr/share", "/srv/one/deep"))
    assert {place.path for place in seen if place.runs and place.path[:5] in ("/srv/", "/usr/")} == {
        "/usr/local",
        "/usr/share",
    }


def test_without_a_place_nothing_is_writable() -> None:
    assert not any(place.writable for place in places(View(reads=("/srv/old",)), ("/", "/usr", "/usr/share")))


def test_what_is_hidden_is_empty_but_for_what_is_named_in_it() -> None:
    """Also where a disk is mounted there, and where it is among the programs."""
    hidden = ("/srv/store", "/srv/other", "/opt/third", "/home/fourth")
    view = View(("/srv/store/.incoming/one",), ("/srv", "/srv/store/old"), hidden=hidden)
    seen = places(view, ("/", "/srv/other", "/srv/other/deep", "/srv/store/old/disk", "/srv/data"))
    assert [place.path for place in seen if place.empty] == ["/opt/third", "/srv/other", "/srv/store"]
    assert [place.path for place in seen if place.path.startswith("/srv")] == [
        "/srv", "/srv/data", "/srv/other", "/srv/store", "/srv/store/.incoming/one", "/srv/store/old",
        "/srv/store/old/disk",
    ]  # fmt: skip


def test_of_what_nobody_needs_of_the_programs_only_programs_and_libraries_are_seen() -> None:
    seen = places(View(("/opt/store/.incoming/one",), hidden=("/opt", "/usr/local")), ("/usr/local/src", "/opt/more"))
    local = {place.path: place.runs for place in seen if place.path.startswith(("/usr/", "/opt"))}
    assert local == {"/usr/local": False, **dict.fromkeys(LOCAL, True), "/opt/store/.incoming/one": True}
    assert next(place for place in seen if place.path == "/usr/local").empty


def test_what_is_lent_is_not_hidden_nor_where_the_program_may_have_libraries(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert programs.beyond("sh", (), cache) == ("/usr/local", "/opt")
    assert programs.beyond("sh", ("/usr", "/opt/own"), cache) == ("/opt",)
    assert programs.beyond("sh", ("/",), cache) == ()
    cache.write_bytes(b"\0/opt/lib/libz.so.1\0")
    assert programs.beyond("sh", (), cache) == ("/usr/local",)


def decided(steps: bytes, machine: int, number: int, *words: int) -> int:
    """What the kernel does with a call: linux/filter.h, as far as our filters go."""
    data = struct.pack("=iIQ6Q", number, machine, 0, *words, *(0,) * (6 - len(words)))
    program = [struct.unpack_from("=HBBI", steps, at) for at in range(0, len(steps), 8)]
    loaded, at = 0, 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            loaded = struct.unpack_from("=I", data, value)[0]
        else:
            holds = {0x15: loaded == value, 0x25: loaded > value, 0x45: bool(loaded & value)}[code]
            at += yes if holds else no


@pytest.mark.parametrize("name", MACHINES)
def test_every_call_that_is_named_is_refused_and_no_other(name: str) -> None:
    machine = MACHINES[name]
    steps, numbers = refusing(machine), machine.numbers
    expected = dict.fromkeys(numbers.values(), NO)
    expected[numbers["ioctl"]], expected[435] = NO_TERMINAL, NONE
    for special in ("clone", "madvise"):
        expected[numbers[special]] = ALLOW
    for number in range(520):
        assert decided(steps, machine.audit, number) == expected.get(number, ALLOW if number <= 462 else NONE)
    # The calls of 32 bits, and the other way to number them.
    assert decided(steps, 0x40000003, 1) == NO and decided(steps, machine.audit, 0x40000000 + 1) == NONE


@pytest.mark.parametrize("name", MACHINES)
def test_a_process_may_be_forked_but_not_into_a_view_of_its_own(name: str) -> None:
    machine = MACHINES[name]
    steps, clone, madvise = refusing(machine), machine.numbers["clone"], machine.numbers["madvise"]
    assert decided(steps, machine.audit, clone, 0x01200011) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert decided(steps, machine.audit, clone, 0x11 | flag) == NO
    assert [decided(steps, machine.audit, madvise, 0, 0, advice) for advice in (4, 100, 101)] == [ALLOW, NO, NO]


def test_both_sides_call_the_connection_by_one_name() -> None:
    assert _CONNECTED == ssh_through.CONNECTED
