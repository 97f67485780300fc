"""The command line of a verb: what does not fit its options is refused."""

from __future__ import annotations

from typing import Any, NamedTuple, get_type_hints

import pytest

from runner.agent.answer import Refused
from runner.agent.arguments import (
    AbsolutePath,
    Count,
    DeclaredDisk,
    Last,
    PathWord,
    Positive,
    PositiveWord,
    Rest,
    SnapshotsRest,
    Word,
    argv,
    fields,
    number,
    pairs,
    parse_as,
)


class Plain(NamedTuple):
    """Words, and a flag."""

    store: Word
    number: PositiveWord
    lower: bool = False
    least: Count = 0


class Open(NamedTuple):
    """Words that may be anything."""

    store: Word
    last: Last
    rest: Rest = ()


@pytest.mark.parametrize(
    "words",
    [
        ("store",), ("store", "3", "more"), ("store", "3", "--", "more"), ("store", "0"), ("store", "3", "--lower=yes"),
        ("store", "3", "--lower="), ("store", "3", "--least"), ("store", "3", "--least=-1"), ("store", "3", "--most=1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        parse_as(Plain, words)


def test_what_fits_is_read() -> None:
    assert parse_as(Plain, ("store", "3", "--lower", "--least=4")) == Plain("store", 3, True, 4)
    assert parse_as(Plain, ("store", "1")) == Plain("store", 1)


def test_after_two_dashes_everything_is_a_word() -> None:
    options = Open("store", "--least=4", ("--", "-x"))
    assert argv("verb", options) == ("verb", "store", "--", "--least=4", "--", "-x")
    assert parse_as(Open, argv("verb", options)[1:]) == options
    assert set(get_type_hints(Open)) == {"store", "last", "rest"}


class Fitting(NamedTuple):
    """Words that must be something, and options of a part of their own."""

    store: PathWord
    names: SnapshotsRest
    from_: str
    least: Count = 0
    paths: tuple[AbsolutePath, ...] = ()
    each: Positive = 5
    disk: DeclaredDisk = DeclaredDisk()


def refused(words: tuple[str, ...], contract: type[tuple[Any, ...]] = Fitting) -> str:
    with pytest.raises(Refused) as refusal:
        parse_as(contract, words)
    return refusal.value.error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((), "it takes 1 words, not 0"),
        (("/s", "--most=1"), "no option --most here"),
        (("/s", "--least"), "--least needs a value"),
        (("/s", "--least=-1"), "--least takes a number, 0 or more: '-1'"),
        (("/s", "--least=" + "x" * 100), f"--least takes a number, 0 or more: '{'x' * 60}'"),
        (("/s", "--each=0"), "--each takes a number, 1 or more: '0'"),
        (("s" * 100,), f"store cannot be '{'s' * 60}'"),
        (("/s", "--paths=/a", "--paths=a"), "--paths cannot be 'a'"),
        (("/s", "--uuid=x y"), "--uuid cannot be 'x y'"),
        (("/s", "2026-11-23T081500Z", "latest"), "names cannot be 'latest'"),
        (("/s", "--", "--from=x"), "names cannot be '--from=x'"),
    ],
)
def test_a_refusal_names_what_it_is_about(words: tuple[str, ...], error: str) -> None:
    assert refused(words) == error


def test_words_are_counted_as_they_are_wanted() -> None:
    assert refused(("store",), Plain) == "it takes 2 words, not 1"
    assert refused(("store", "3", "more"), Plain) == "it takes 2 words, not 3"
    assert refused(("store", "0"), Plain) == "number takes a number, 1 or more: '0'"


def test_what_is_not_given_is_its_default_and_of_several_the_last_counts() -> None:
    assert parse_as(Fitting, ("/s",)) == Fitting("/s", (), "", 0, (), 5, DeclaredDisk())
    words = (
        "--from",
        "a",
        "--from=b",
        "--least=1",
        "--from=c",
        "--uuid=1-2",
        "--paths",
        "/a",
        "--paths=/b",
        "--each=1",
        "/s",
    )
    assert parse_as(Fitting, words) == Fitting("/s", (), "c", 1, ("/a", "/b"), 1, DeclaredDisk(uuid="1-2"))


def test_only_what_differs_is_written_and_only_what_fits() -> None:
    assert argv("verb", Fitting("/s", (), "")) == ("verb", "/s", "--from=", "--")
    options = Fitting("/s", ("2026-11-23T081500Z",), "x", 7, ("/a", "/b"), 1, DeclaredDisk("/m", ""))
    written = (
        "--from=x",
        "--least=7",
        "--paths=/a",
        "--paths=/b",
        "--each=1",
        "--mount=/m",
        "--",
        "2026-11-23T081500Z",
    )
    assert argv("verb", options) == ("verb", "/s", *written)
    for unfit in ({"store": "s"}, {"names": ("x",)}, {"paths": ("/a", "b")}, {"disk": DeclaredDisk("m")}):
        with pytest.raises(Refused):
            argv("verb", options._replace(**unfit))


@pytest.mark.parametrize(("text", "known"), [("0", 0), ("0" * 18 + "7", 7), (str(2**63 - 1), 2**63 - 1)])
def test_a_number_is_what_its_digits_say(text: str, known: int) -> None:
    assert parse_as(Plain, ("s", "1", f"--least={text}")).least == known
    assert number(text, "--least") == known


@pytest.mark.parametrize("text", ["", "+1", " 1", "1_0", "\u0663", "\u00b3", "1.0", str(2**63), "0" * 19 + "7"])
def test_no_other_text_is_a_number(text: str) -> None:
    with pytest.raises(Refused):
        parse_as(Plain, ("s", "1", f"--least={text or 'none'}"))


def test_each_step_has_one_mount_point() -> None:
    assert pairs(("send=/", "send1=/x=y"), "transfer") == {"send": "/", "send1": "/x=y"}
    for values in (("send",), ("send=srv",), ("send=",), ("send=/", "send=/srv")):
        with pytest.raises(Refused, match="--transfer takes STEP=/MOUNTPOINT, each step once"):
            pairs(values, "transfer")


def test_the_fields_of_a_contract_are_what_their_types_say() -> None:
    known = {field.key: (field.name, field.place, field.kind, field.least, field.part) for field in fields(Fitting)}
    assert known == {
        "store": ("store", "word", "str", 0, ""), "names": ("names", "rest", "tuple", 0, ""),
        "from_": ("from", "", "str", 0, ""), "least": ("least", "", "int", 0, ""),
        "paths": ("paths", "", "tuple", 0, ""), "each": ("each", "", "int", 1, ""), "mount": ("mount", "", "str", 0, "disk"),
        "uuid": ("uuid", "", "str", 0, "disk"),
    }  # fmt: skip
