"""What a probe asks with a key: texts are texts there, and what nobody of ours would send is noted as an attempt."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.agent.policy import hidden, limits, refusals, serve
from runner.agent.policy.rights import Rights
from runner.hosts import boot
from runner.hosts.ssh import _START

CHAIN = {"id": "x", "argv": ["runner-agent", "up"]}


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    known: list[str] = []
    monkeypatch.setattr(refusals, "note", lambda key, what: known.append(what))
    yield known
    limits._key.clear()
    hidden._sources.clear()


def asked(content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> int:
    """How `serve` ends where a probe has that on its input."""
    program = tmp_path / "runner-agent"
    program.touch()
    digest = hashlib.sha256(b"").hexdigest()
    words = ("sh", "-c", _START, "5a" * 16, "python3", "-IS", "-c", boot.BOOT, digest, "9", str(program))
    monkeypatch.setenv(serve.ASKED, f"exec {shlex.join(words)}")
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
    monkeypatch.setattr(serve, "_begin_clean", lambda key: None)
    monkeypatch.setattr(serve.places, "take", lambda key: 0)
    monkeypatch.setattr(serve, "rights_of", lambda key: Rights("papio"))
    return serve.run(["papio"])


@pytest.mark.parametrize(
    "request_",
    [
        {"root": 0},
        {"root": False},
        {"root": []},
        {"stand_ins": {}},
        {"stand_ins": ""},
        {"commands": {}},
        {"commands": [{}]},
        {"commands": [[]]},
        {"commands": [{**CHAIN, "argv": ["runner-agent", ["up"]]}]},
        {"commands": [{**CHAIN, "argv": "up"}]},
        {"commands": [{**CHAIN, "id": 0}]},
        {"commands": [{**CHAIN, "timeout": float("nan")}]},
        {"commands": [{**CHAIN, "timeout": -1}]},
        {"commands": [{**CHAIN, "timeout": "9"}]},
        {"stores": [{}]},
        {"stores": {"path": "/"}},
        [],
        0,
    ],
)
def test_a_request_of_other_types_is_none_and_is_noted(
    request_: object, noted: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert asked(json.dumps(request_), monkeypatch, tmp_path) == 1
    assert noted == ["probe"]


@pytest.mark.parametrize(
    "content", ["", "{", "[" * 100_000, "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_what_is_no_request_at_all_is_noted(
    content: str, noted: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert asked(content, monkeypatch, tmp_path) == 1
    assert noted == ["probe"]


def test_what_the_runner_asks_is_answered(
    noted: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = {"host": "h", "stores": [], "root": "", "stand_ins": [], "commands": [CHAIN]}
    assert asked(json.dumps(request), monkeypatch, tmp_path) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["readings"]["x"]["exit"] == 0
    assert noted == []
