"""What an rsync may be told that is begun for a key: of what comes in its stream, only what the runner's own says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.agent.answer import Denied, Refused
from runner.agent.policy.copies import asked, judged

HERE = "/srv/store/.incoming/2026-11-23T081500Z"
RECEIVES, SENDS = ("rsync", "--server", "-slogDtpre.LsfxCIvu"), ("rsync", "--server", "--sender", "-slogDtpre.LsfxCIvu")


def words(*more: str, place: str = f"{HERE}/0/") -> tuple[str, ...]:
    return ("rsync", *more, ".", place)


def test_rsync_is_begun_with_all_that_came_and_takes_no_more_from_the_stream() -> None:
    more = ("--numeric-ids", "--partial-dir", f"{HERE}/parts", "--copy-dest", "/srv/store/old", "-@-1")
    copy = judged(RECEIVES, words(*more))
    assert copy.argv == ("rsync", "--server", "-logDtpre.LsfxCIvu", *more, ".", f"{HERE}/0/")
    assert (copy.place, copy.keeps, copy.compares) == (f"{HERE}/0", (f"{HERE}/parts",), ("/srv/store/old",))
    assert judged(("rsync", "--server", "-s"), words()).argv == ("rsync", "--server", ".", f"{HERE}/0/")
    assert judged(SENDS, words(place="/srv/./etc/.")).place == "/srv/etc"
    assert judged(("rsync", "--server", "-snr"), words()).looks and not copy.looks


@pytest.mark.parametrize(
    "more",
    [
        ("--daemon",), ("--config=/x",), ("--server",), ("--log-file=/etc/x",), ("--write-devices",), ("--inplace",),
        ("--temp-dir", "/etc"), ("--remove-source-files",), ("--partial-dir=/etc",), ("--partial-dir", "parts"),
        ("--copy-dest", f"{HERE}/0/../../../etc"), ("--link-dest", "/srv"), ("--copy-dest",), ("-M", "--x"), ("x",),
        ("--dparam=log file=/x",), ("--early-input=/etc/shadow",), ("--files-from=/etc/shadow",), ("--fsync\n",),
        ("--timeout=1 2",), ("-e", "sh"), ("--rsync-path=sh",), ("--iconv=a,b",), ("-s",), ("--msgs2stderr",), ("",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("begun", [RECEIVES, SENDS])
def test_what_the_runner_never_tells_an_rsync_is_refused(begun: tuple[str, ...], more: tuple[str, ...]) -> None:
    with pytest.raises(Denied):
        judged(begun, words(*more))


@pytest.mark.parametrize("place", ["etc", "/srv/../etc", "--daemon", "", "//srv", "/srv//etc", "/srv/\udcff/../x"])
def test_a_place_is_one_whole_path(place: str) -> None:
    with pytest.raises(Denied):
        judged(SENDS, words(place=place))


@pytest.mark.parametrize("letters", ["-sL", "-sK", "-sv", "-sz", "-logDtpr", "-sW", "-sO", "-sbr", "-snr x"])
def test_a_letter_the_runner_never_uses_is_refused(letters: str) -> None:
    with pytest.raises(Denied):
        os_asked(("rsync", "--server", letters), b"rsync\0.\0/srv\0\0")


@pytest.mark.parametrize("shape", [("rsync",), ("rsync", "."), ("sh", ".", "/x"), ("rsync", ".", "/x", "/y"), ()])
def test_words_of_another_shape_are_refused(shape: tuple[str, ...]) -> None:
    with pytest.raises(Denied):
        judged(RECEIVES, shape)


def os_asked(begun: tuple[str, ...], stream: bytes) -> bytes:
    """What is left of a stream when its words were read."""
    read, write = os.pipe()
    try:
        os.write(write, stream)
        os.close(write)
        asked(begun, read)
        return os.read(read, 100)
    finally:
        os.close(read)


def test_not_a_byte_is_taken_that_is_rsync_s() -> None:
    assert os_asked(RECEIVES, b"rsync\0--stats\0.\0/srv\0\0\0\0\x20rest") == b"\0\0\x20rest"


def test_a_stream_that_ends_too_soon_or_never_is_refused() -> None:
    with pytest.raises(Refused, match="do not end"):
        os_asked(RECEIVES, b"rsync\0.\0/srv\0")
    with Path("/dev/urandom").open("rb") as endless, pytest.raises((Denied, Refused)):
        asked(RECEIVES, endless.fileno())
