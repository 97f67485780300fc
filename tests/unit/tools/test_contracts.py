"""What a contract writes as a command line, the verb reads back; every file of contracts is read by Python 3.9 too."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import agent
from runner.agent import arguments
from runner.agent.answer import Refused
from runner.agent.arguments import Field, argv, fields, parse_as
from runner.agent.snapshots.contract.seal import Sealed
from runner.agent.store import contract_probe as store
from runner.agent.store.contract.holder import HolderAnswer
from runner.agent.store.contract.proven import ProofAnswer
from runner.model import facts, names
from runner.tools import answers

AGENT = Path(agent.__path__[0])
FILES = sorted((*AGENT.glob("*/contract*.py"), *AGENT.glob("*/contract/[!_]*.py")))
CONTRACTS = [
    contract
    for module in (
        importlib.import_module(f"runner.agent.{'.'.join(file.relative_to(AGENT).with_suffix('').parts)}")
        for file in FILES
    )
    for _, contract in inspect.getmembers(module, inspect.isclass)
    if hasattr(contract, "_fields") and contract.__module__ == module.__name__
]
OPTIONS = [one for one in CONTRACTS if one.__doc__.startswith("Options of")]
ANSWERS = [one for one in CONTRACTS if one not in OPTIONS]

PLAIN = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


SAMPLES = (
    "", "/", "/srv/a b", "/-x/..y/\udcff\n", "2026-11-23T081500Z", "1972-02-29T000000Z", "2099-12-31T235959Z",
    "0a4f3c1e-5b1e-4c52-9d0c-0d8f5c1f7a55", "ABCD-1234", "5a" * 32,
    f"ssh-ed25519 {'A' * 68}", "192.168.199.1",
)  # fmt: skip
UNFIT = (
    "--help", "-e sh", "../../etc", "a", "//x", "/a/../b", "/a/.", "/a/", "/a\0b", "x --evil", "9999-12-31T235959Z",
    "0000-01-01T000000Z", "2026-02-30T000000Z", "2100-01-01T000000Z", "1900-02-29T000000Z", "2026-11-23T081500Z\n",
    "\u0662026-11-23T081500Z", "/" + "x" * 256, "\x1b[31m",
)  # fmt: skip


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.kind == "bool":
        return st.booleans()
    if field.kind == "int":
        return st.integers(min_value=field.least, max_value=10**9)
    if field.pattern:
        texts = st.sampled_from([text for text in SAMPLES if field.pattern.fullmatch(text)])
        return st.lists(texts).map(tuple) if field.kind == "tuple" else texts
    if field.kind == "tuple":
        return st.lists(PLAIN).map(tuple)
    # A word before `--` that begins as an option would be taken for one.
    return PLAIN.filter(lambda text: not text.startswith("--")) if field.place == "word" else PLAIN


@pytest.mark.parametrize("contract", OPTIONS, ids=lambda one: f"{one.__module__.split('.')[2]}.{one.__name__}")
@given(data=st.data())
def test_a_verb_reads_the_options_that_were_written(contract: type[Any], data: st.DataObject) -> None:
    known = fields(contract)
    own = {field.key: data.draw(_values(field)) for field in known if not field.part}
    parts = {
        part: kind(**{field.key: data.draw(_values(field)) for field in known if field.part == part})
        for part, kind in get_type_hints(contract).items()
        if part in {field.part for field in known}
    }
    options = contract(**own, **parts)
    words = argv("verb", options)
    assert words[0] == "verb"
    assert parse_as(contract, words[1:]) == options


@pytest.mark.parametrize("contract", OPTIONS, ids=lambda one: one.__name__)
def test_an_option_that_is_not_known_is_refused(contract: type[Any]) -> None:
    words = [field.name for field in fields(contract) if field.place == "word"]
    with pytest.raises(Refused, match="no option --of-tomorrow"):
        parse_as(contract, (*words, "--of-tomorrow=1"))


@pytest.mark.parametrize("contract", OPTIONS, ids=lambda one: one.__name__)
def test_what_fits_no_pattern_is_refused_on_both_sides(contract: type[Any]) -> None:
    known = [field for field in fields(contract) if not field.part]
    for field in [each for each in known if each.pattern]:
        usual = {each.key: each.default if each.default is not None else _usual(each) for each in known}
        parts_of = {part: kind() for part, kind in get_type_hints(contract).items() if part not in usual}
        for text in [each for each in UNFIT if not field.pattern or not field.pattern.fullmatch(each)]:
            value = (text,) if field.kind == "tuple" else text
            with pytest.raises(Refused, match="cannot be"):
                argv("verb", contract(**{**usual, **parts_of, field.key: value}))
            # What begins as an option is refused as one that is not known.
            words = list(argv("verb", contract(**{**usual, **parts_of}))[1:])
            if field.place == "word":
                words[[each.key for each in known if each.place == "word"].index(field.key)] = text
            elif field.place:
                words += ["--", text]
            else:
                words.append(f"--{field.name}={text}")
            with pytest.raises(Refused):
                parse_as(contract, words)


def _usual(field: Field) -> Any:
    if field.kind == "int":
        return max(field.least, 1)
    text = next((each for each in SAMPLES if each and field.pattern and field.pattern.fullmatch(each)), "x")
    return {"bool": False, "tuple": ()}.get(field.kind, text)


@pytest.mark.parametrize("text", ["5" * 5000, "9" * 19, str(2**63), "-1", "\u00b2", "1e3", "0x1", ""])
def test_a_number_of_any_length_is_refused_and_not_raised(text: str) -> None:
    with pytest.raises(Refused, match="takes a number"):
        arguments.number(text, "--days")


def test_both_sides_know_the_same_patterns() -> None:
    for here, there in (
        (names.SnapshotName, arguments.SnapshotName), (names.SnapshotNameOrNone, arguments.SnapshotNameOrNone),
        (names.AbsolutePath, arguments.AbsolutePath), (names.Uuid, arguments.Uuid), (names.Digest, arguments.Digest),
    ):  # fmt: skip
        assert [mark.pattern for mark in here.__metadata__] == [mark.pattern for mark in there.__metadata__]


@pytest.mark.parametrize("contract", ANSWERS, ids=lambda one: one.__name__)
def test_every_answer_can_be_read_and_rubbish_is_none(contract: type[Any]) -> None:
    rubbish = {key.rstrip("_"): object for key in contract._fields}
    assert answers.read("{}", contract) is None or contract._field_defaults
    assert answers.read({key: [["x"], 1.5] for key in rubbish}, contract) is None


@pytest.mark.parametrize("file", FILES, ids=lambda one: one.relative_to(AGENT).with_suffix("").as_posix())
def test_a_file_of_contracts_pays_for_nothing(file: Path) -> None:
    known = {"typing", "datetime", "__future__", "..arguments", "...arguments"}
    lines = [line.split()[1] for line in file.read_text().splitlines() if line.startswith(("from ", "import "))]
    # Beside these only what another file of contracts of this room has.
    assert all(line in known or (line.startswith(".") and not line.startswith("..")) for line in lines)
    # Evaluated, also by 3.9: no `X | None`.
    assert "| None" not in file.read_text()


@pytest.mark.parametrize(
    ("contract", "facts_type"),
    [
        (store.SnapshotAnswer, facts.Snapshot),
        (store.PartialAnswer, facts.Partial),
        (store.SpaceAnswer, facts.Space),
        (ProofAnswer, facts.Proven),
        (HolderAnswer, facts.Holder),
        (store.StoreAnswer, facts.StoreFacts),
    ],
)
def test_what_a_probe_answers_of_a_store_is_what_the_facts_are(contract: type[Any], facts_type: type[Any]) -> None:
    # What our own journal makes us doubt is no answer.
    assert set(contract._fields) == {field.name for field in dataclasses.fields(facts_type)} - {"doubted"}


@pytest.mark.parametrize("key", ["files", "added_bytes", "exceptions"])
def test_no_answer_counts_less_than_nothing(key: str) -> None:
    answer = {**dict.fromkeys(Sealed._fields, 1), "sealed": "2026-11-23T081500Z", "head": ""}
    assert answers.read(answer, Sealed) is not None
    assert answers.read({**answer, key: -1}, Sealed) is None
