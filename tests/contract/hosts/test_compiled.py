"""What the program was compiled to lies beside it, and is run only where nobody else can have written it."""

from __future__ import annotations

import io
import json
import marshal
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.agent import start
from runner.engine import probe
from runner.hosts.boot import run_agent
from runner.hosts.transport import Local
from runner.tools.agent import PROGRAM

PYTHON = (sys.executable, "-IS")
ANEW = "compiled anew"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The program, in a folder of its own."""
    program = tmp_path / "sbin" / "runner-agent"
    program.parent.mkdir(mode=0o755)
    program.write_bytes(probe.runner_agent())
    return program


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of which something is kept, and that tells where it is compiled again."""
    program = tmp_path_factory.mktemp("used") / "runner-agent"
    program.write_bytes(probe.runner_agent())
    begun(program)
    telling(program)
    return program


@pytest.fixture
def own(used: Path, tmp_path: Path) -> Path:
    """A copy of that."""
    shutil.copytree(used.parent, tmp_path / "own")
    return tmp_path / "own" / used.name


def test_of_the_installed_one_it_lies_where_no_snapshot_has_it_and_elsewhere_beside_the_program() -> None:
    assert start.folder_of(PROGRAM) == "/run/runner/compiled"
    assert start.folder_of("/site/sandbox/usr/local/sbin/runner-agent") == "/site/sandbox/usr/local/sbin/__pycache__"


def begun(program: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """A verb that writes, refused for its words."""
    return subprocess.run((*before, *PYTHON, str(program), "begin"), capture_output=True, text=True, check=False)


def kept(program: Path) -> Path:
    return program.parent / "__pycache__" / "runner-agent.pyc"


def telling(program: Path, tells: str = ANEW, door: bytes = b"") -> None:
    """Make a program of it that tells so when it runs: what is kept of the other is what it takes for its own."""
    old = zipfile.ZipFile(io.BytesIO(program.read_bytes()))
    entries = {name: old.read(name) for name in old.namelist()}
    entries["__main__.py"] = door or entries["__main__.py"]
    entries["runner_agent/__main__.py"] += f"print({tells!r})\n".encode()
    with program.open("wb") as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def told(program: Path) -> str:
    """What it tells beside its answer, which is always the same."""
    ended = begun(program)
    *lines, answer = ended.stdout.splitlines()
    assert ended.returncode == 1 and "takes 2 words" in json.loads(answer)["error"], ended
    return "".join(lines)


def _code(program: Path) -> tuple[int, int]:
    """Where the code of what tells begins and ends."""
    content = kept(program).read_bytes()
    behind = len(start.head("0" * 64, b""))
    behind, table = behind + int.from_bytes(content[behind - 4 : behind], "big"), content[behind:]
    _, first, size, _ = marshal.loads(table)["runner_agent.__main__"]
    return behind + first, behind + first + size


def _flipped(program: Path, place: int) -> None:
    content = bytearray(kept(program).read_bytes())
    content[place] ^= 1
    kept(program).write_bytes(content)


def _cut_off(program: Path) -> None:
    os.truncate(kept(program), _code(program)[1] - 1)


def _cut_off_in_the_table(program: Path) -> None:
    os.truncate(kept(program), 100)


def _emptied(program: Path) -> None:
    os.truncate(kept(program), 0)


def _rotten(program: Path) -> None:
    _flipped(program, sum(_code(program)) // 2)


def _with_a_rotten_table(program: Path) -> None:
    _flipped(program, 100)


def _with_a_rotten_length(program: Path) -> None:
    _flipped(program, len(start.head("0" * 64, b"")) - 4)


def _of_another_python(program: Path) -> None:
    _flipped(program, 0)


def _of_another_version(program: Path) -> None:
    telling(
        program, "", door=b"import sys\n\nfrom runner_agent.start import run\n\nrun(sys.argv[0], '%s')\n" % (b"0" * 64)
    )


def _writable(program: Path) -> None:
    kept(program).chmod(0o620)


def _in_an_open_folder(program: Path) -> None:
    kept(program).parent.chmod(0o702)


def _a_link(program: Path) -> None:
    kept(program).rename(program.with_name("elsewhere"))
    kept(program).symlink_to(program.with_name("elsewhere"))


def _a_linked_folder(program: Path) -> None:
    kept(program).parent.rename(program.with_name("elsewhere"))
    kept(program).parent.symlink_to(program.with_name("elsewhere"))


def _a_fifo(program: Path) -> None:
    kept(program).unlink()
    os.mkfifo(kept(program), 0o600)


def _anothers(program: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives a file away")
    os.chown(kept(program), 65534, -1)


def _in_anothers_folder(program: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives a folder away")
    os.chown(kept(program).parent, 65534, -1)


def test_what_was_compiled_is_run_next_time(program: Path) -> None:
    assert "takes 2 words" in begun(program).stdout
    assert [path.stat().st_mode & 0o777 for path in (kept(program).parent, kept(program))] == [0o700, 0o600]
    telling(program)
    assert told(program) == ""


@pytest.mark.parametrize(
    "spoil",
    [
        _cut_off, _cut_off_in_the_table, _emptied, _rotten, _with_a_rotten_table, _with_a_rotten_length,
        _of_another_python, _of_another_version, _writable, _in_an_open_folder, _a_link,
        _a_linked_folder, _a_fifo, _anothers, _in_anothers_folder,
    ],
)  # fmt: skip
def test_what_others_may_have_written_or_is_of_another_is_not_run(spoil: Callable[[Path], None], own: Path) -> None:
    spoil(own)
    assert told(own) == ANEW


@pytest.mark.parametrize("spoil", [_cut_off, _rotten, _of_another_version, _a_link])
def test_it_is_replaced_and_nothing_else_stays_beside_it(spoil: Callable[[Path], None], own: Path) -> None:
    spoil(own)
    kept(own).with_name("runner-agent.pyc.tmp").write_bytes(b"what a power cut left")
    assert told(own) == ANEW
    telling(own, "and again")
    assert told(own) == ANEW
    assert list(kept(own).parent.iterdir()) == [kept(own)]


def test_where_nothing_can_be_kept_the_answer_is_the_same(program: Path) -> None:
    # A full disk; and a file where the folder would be.
    ended = begun(program, "prlimit", "--fsize=1000")
    assert ended.returncode == 1 and "takes 2 words" in ended.stdout and not ended.stderr
    assert not list(kept(program).parent.iterdir())
    kept(program).parent.rmdir()
    kept(program).parent.write_bytes(b"")
    ended = begun(program)
    assert ended.returncode == 1 and "takes 2 words" in ended.stdout and not ended.stderr


def test_a_look_at_a_host_leaves_nothing_there_and_gains_from_what_is(program: Path, tmp_path: Path) -> None:
    way = Local("papio", str(program))

    def asked() -> bytes:
        result = run_agent(way, program.read_bytes(), ("find", str(tmp_path)), {"path": "/etc"}, timeout=60)
        return result.out

    answer = asked()
    assert not kept(program).parent.exists()
    begun(program)
    telling(program)
    assert asked() == answer and not answer.startswith(ANEW.encode())


@pytest.mark.parametrize("put", ["another version", "nothing", "half of it"])
def test_nothing_is_kept_of_a_program_that_was_replaced_while_it_worked(
    program: Path, tmp_path: Path, put: str
) -> None:
    store = tmp_path / "store"
    argv = (*PYTHON, str(program), "hold", str(store), "--plan=plan-1", "--who=a test")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holds:
        assert holds.stdin and holds.stdout and holds.stderr
        assert json.loads(holds.stdout.readline()) == {"held": True}
        other = tmp_path / "other"
        shutil.copy(program, other)
        if put == "another version":
            telling(other)
        else:
            os.truncate(other, 0 if put == "nothing" else other.stat().st_size // 2)
        other.replace(program)
        holds.stdin.close()
        assert (holds.wait(), holds.stderr.read()) == (0, b"")
    assert not kept(program).exists()


def test_a_verb_that_did_its_work_ends_well_where_nobody_hears_its_warnings(program: Path, tmp_path: Path) -> None:
    argv = ("sh", "-c", 'exec "$@" 2>&-', "sh", *PYTHON, str(program), "newest", str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    asked = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    assert (asked.returncode, json.loads(asked.stdout)["newest"]) == (0, "")
