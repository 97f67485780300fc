"""What rsync wants: patterns that mean one path, words that survive its own splitting, versions in order."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.rsync_lines import sent
from runner.agent.snapshots import sums
from runner.model.facts import Rsync
from runner.tools import rsync

ENDS = rsync.Ends(source="/source/", target="/target/")


@pytest.mark.parametrize(
    ("top", "path", "pattern"),
    [
        ("/", "/srv/store", "/srv/store/*"),
        ("/srv", "/srv/store", "/store/*"),
        ("/srv/", "/srv/store/", "/store/*"),
        ("/", "/a*b", "/a\\*b/*"),
        ("/", "/a?[b]", "/a\\?\\[b]/*"),
        ("/", "/a\\b", "/a\\\\b/*"),
        ("/", "/two words\n", "/two words\n/*"),
    ],
)
def test_what_is_in_a_folder_is_left_out_by_an_anchored_pattern(top: str, path: str, pattern: str) -> None:
    assert rsync.below(top, path) == pattern


@pytest.mark.parametrize(
    ("path", "pattern"),
    [("/var/cache", "/var/cache"), ("/a*b", "/a\\*b"), ("/a\\b", "/a\\b"), ("/a\\*b", "/a\\\\\\*b"), ("/-x", "/-x"),
     ("/a[", "/a\\["), ("/a]", "/a]"), ("/ ", "/ ")],
)  # fmt: skip
def test_a_path_is_left_out_literally(path: str, pattern: str) -> None:
    assert rsync.exactly("/", path) == pattern


NAMES = st.text(st.sampled_from("ab*?[]\\-!^ "), min_size=1, max_size=6)


def meant(pattern: str) -> str:
    """The pattern as Python's fnmatch reads it: rsync's backslash becomes a class of one character."""
    if not any(char in pattern for char in "*?["):
        return pattern.replace("[", "[[]")
    text, out = iter(pattern), ""
    for char in text:
        literal = next(text) if char == "\\" else ""
        out += f"[{literal}]" if literal and literal not in "\\" else literal or char
    return out


@given(name=NAMES, other=NAMES)
def test_a_pattern_matches_its_own_path_and_no_other(name: str, other: str) -> None:
    pattern = meant(rsync.exactly("/", f"/{name}"))
    assert fnmatchcase(f"/{name}", pattern)
    assert fnmatchcase(f"/{other}", pattern) == (name == other)


def test_a_basis_is_looked_through_for_another_host_and_not_where_files_are_copied_whole_anyway() -> None:
    pull = replace(ENDS, source="papio:/source/", rsh=("ssh",))
    near, far = (rsync.send_listed(ends, exclude=(), bases=("/b", "/c")) for ends in (ENDS, pull))
    assert [word for word in far if "-dest" in word] == ["--copy-dest=/b", "--copy-dest=/c"]
    assert not any("-dest" in word for word in near)


def test_what_is_pulled_by_a_list_is_not_looked_up_in_it_name_by_name_where_rsync_can_do_without() -> None:
    able = replace(ENDS, trusts=True)
    pull, push = (replace(able, rsh=("ssh",), **end) for end in ({"source": "a:/s/"}, {"target": "a:/t/"}))
    old = replace(pull, trusts=False)
    made: tuple[Callable[[rsync.Ends], tuple[str, ...]], ...] = (
        lambda ends: rsync.send_listed(ends, exclude=(), bases=()),
        lambda ends: rsync.send_again(ends, exclude=()),
        lambda ends: rsync.look_listed(ends, exclude=()),
    )
    for argv in made:
        assert ["--trust-sender" in argv(ends) for ends in (able, push, old, pull)] == [False, False, False, True]
    # Without a list there is nothing to check; and what is restored by one is checked, since nothing else does.
    for argv in (rsync.send(pull, exclude=()), rsync.look(pull, exclude=()), rsync.chosen(pull)):
        assert "--trust-sender" not in argv


def test_more_bases_than_rsync_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 20"):
        rsync.send_listed(ENDS, exclude=(), bases=["/b"] * 21)


@pytest.mark.parametrize(
    "argv",
    [
        rsync.send(ENDS, exclude=("/x/*",)),
        rsync.send_listed(ENDS, exclude=(), bases=("/b",)),
        rsync.look_listed(ENDS, exclude=()),
        rsync.look(ENDS, exclude=("/x/*",)),
        rsync.restore(ENDS),
        rsync.restore(ENDS, aside="/aside"),
        rsync.verify(ENDS, parents=True),
    ],
)
def test_every_command_keeps_all_of_a_file_and_ends_its_options(argv: tuple[str, ...]) -> None:
    assert argv[0] == "rsync"
    assert argv[-3:] == ("--", "/source/", "/target/")
    assert {"--archive", "--hard-links", "--acls", "--xattrs", "--sparse", "--numeric-ids"} <= set(argv)
    assert {"--modify-window=-1", "--no-inc-recursive", "--timeout=600"} <= set(argv)
    assert all(word.startswith("--") for word in argv[1:-2])


KEEP = ("/bin/runner-agent", "keep-room", "/store of papio", "--")


def test_what_receives_is_begun_by_what_keeps_room_there() -> None:
    near = replace(ENDS, keep=KEEP)
    far = replace(near, target="server:/target/", rsh=("ssh",))
    pull = replace(near, source="server:/source/", rsh=("ssh",))
    sends = (
        lambda ends: rsync.send(ends, exclude=("/x",)),
        lambda ends: rsync.send_listed(ends, exclude=(), bases=("/b",)),
    )
    for made in (*sends, rsync.restore, rsync.chosen):
        assert made(near) == (*KEEP, *made(ENDS)), "rsync itself is as it was"
        assert made(pull)[:5] == (*KEEP, "rsync")
        assert made(far)[0] == "rsync"
        (option,) = (word for word in made(far) if word.startswith("--rsync-path="))
        assert shlex.split(option.partition("=")[2]) == [*KEEP, "rsync"], "for the shell of the other end"
    for reads in (rsync.look(far, exclude=()), rsync.look_listed(far, exclude=()), rsync.verify(far, parents=True)):
        assert not any("keep-room" in word for word in reads), "what only looks takes no room"


def test_what_only_looks_is_begun_by_what_confines_it_with_the_rights_of_root() -> None:
    looks = ("/bin/runner-agent", "confine", "--reads=/target", "--")
    for made in (
        lambda ends: rsync.look(ends, exclude=("/x",)),
        lambda ends: rsync.look_listed(ends, exclude=()),
        lambda ends: rsync.verify(ends, parents=True),
    ):
        without, within = made(ENDS), made(replace(ENDS, looks=looks))
        assert within[: len(looks) + 1] == (*looks, "rsync")
        assert tuple(word for word in within[len(looks) :] if word != "--super") == without


def test_what_is_foreseen_is_counted_by_the_comparison_itself() -> None:
    confined = rsync.look(replace(ENDS, looks=KEEP), exclude=())
    assert rsync.foresee(confined)[: len(KEEP) + 1] == (*KEEP, "rsync")
    differ = rsync.look(replace(ENDS, keep=KEEP, rsh=("ssh",)), exclude=("/x",))
    counted = rsync.foresee(differ)
    assert {"--dry-run", "--itemize-changes", "--stats", "--no-human-readable", "--out-format=%i|%l"} <= set(counted)
    assert [word for word in differ if word not in counted] == ["--delete", "--ignore-errors", "--out-format=%i|%n//%L"]
    assert counted[-5:] == ("--rsh=ssh", "--protect-args", "--", "/source/", "/target/")


def test_only_what_looks_is_a_rehearsal_and_only_what_is_sent_whole_deletes() -> None:
    whole = rsync.send(ENDS, exclude=())
    writes = [whole, rsync.send_listed(ENDS, exclude=(), bases=()), rsync.restore(ENDS, aside="/a")]
    reads = [rsync.look(ENDS, exclude=()), rsync.look_listed(ENDS, exclude=()), rsync.verify(ENDS, parents=False)]
    assert all("--dry-run" in argv for argv in reads)
    assert not any("--dry-run" in argv or "--inplace" in argv for argv in writes)
    assert [argv for argv in writes if any(word.startswith("--delete") for word in argv)] == [whole]


@pytest.mark.parametrize(
    ("rsh", "option"),
    [
        (("ssh", "-F", "/state/ssh_config"), "--rsh=ssh -F /state/ssh_config"),
        (("ssh", "-F", "/my site/config"), "--rsh=ssh -F '/my site/config'"),
        (("ssh", "-F", "/it's/config"), "--rsh=ssh -F '/it''s/config'"),
        (("ssh", 'a"b'), "--rsh=ssh 'a\"b'"),
    ],
)
def test_the_remote_shell_is_quoted_as_rsync_splits_it(rsh: tuple[str, ...], option: str) -> None:
    argv = rsync.send(rsync.Ends(source="h:/s/", target="/t/", rsh=rsh), exclude=())
    assert option in argv
    assert "--protect-args" in argv


def test_a_checksum_is_no_longer_than_any_is_and_what_is_written_of_many_is_looked_at() -> None:
    lines = [f">f+++++++++|{'5a' * length}|3|x//\n".encode() for length in (64, 65, 250_000)]
    file = sent(lines[0])
    assert file is not None and [sent(line) for line in lines[1:]] == [None, None]
    looked: list[int] = []
    with io.BytesIO() as stream:
        written = sums.Sums(stream, lambda: looked.append(stream.tell()))
        for _ in range(3 * sums.BETWEEN // 120):
            written.add(file, "/")
    assert len(looked) == 3 and all(one <= (number + 2) * sums.BETWEEN for number, one in enumerate(looked))


def test_versions_are_compared_as_numbers() -> None:
    ordered = ["", "2.6.9", "3.1.2", "3.1.3", "3.2.7", "3.4.1", "3.5.0", "3.10.0"]
    numbers = [rsync.version_number(one) for one in ordered]
    assert numbers == sorted(numbers)
    assert rsync.version_number("") == ()


def test_a_checksum_is_one_that_both_know() -> None:
    new, old = Rsync(checksums=("xxh128", "md5")), Rsync()
    assert [rsync.checksum(new, new), rsync.checksum(new, old), rsync.checksum(old, new)] == ["xxh128", "md5", "md5"]


@pytest.mark.parametrize(
    ("version", "able"), [("3.5.0", True), ("3.10.1", True), ("3.2.7", False), ("3.4.1", False), ("", False)]
)
def test_half_a_file_is_only_kept_where_the_receiver_survives_it(version: str, able: bool) -> None:
    assert rsync.takes_up_halves(Rsync(version=version)) == able
