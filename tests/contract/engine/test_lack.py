"""A want of memory, threads or open files is one sentence, whatever Python raised for it."""

from __future__ import annotations

import errno
import resource
import threading

import pytest

from runner.model.errors import HookFailed, RunnerError
from runner.tools.lack import plain


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The error as it is when it was raised, by somebody who met `cause` before."""
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except Exception:
            raise error  # noqa: B904 (as code does that knows nothing of it)
    except Exception as known:
        return known


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    monkeypatch.setattr(resource, "getrlimit", lambda which: endless)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        raised(ValueError("there is an open writing handle"), MemoryError("for compression object")),
        raised(HookFailed("hooks.mail: cannot import"), MemoryError()),
    ],
)
@pytest.mark.usefixtures("unlimited")
def test_a_want_of_memory_is_told_as_such(error: Exception) -> None:
    lack = plain(error)
    assert isinstance(lack, RunnerError) and lack.text == "it ran out of memory" and lack.do


def test_the_limit_that_was_met_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (64 << 20, 64 << 20))
    assert str(plain(MemoryError())).startswith("it ran out of memory: it may have 64.0 MiB (ulimit -v)\n  -> ")
    unmapped = ImportError("/usr/lib/x.so: failed to map segment from shared object")
    assert "ran out of memory" in str(plain(unmapped))
    assert "open files" in str(plain(OSError(errno.EMFILE, "Too many open files")))


@pytest.mark.usefixtures("unlimited")
def test_a_thread_that_cannot_start_wants_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "_start_new_thread", refuse)
    monkeypatch.setattr(threading, "_start_joinable_thread", refuse, raising=False)
    with pytest.raises(RuntimeError) as met:
        threading.Thread(target=print).start()
    # As Python raises it: from C, so that the last of its own lines is in `start`.
    trace = met.value.__traceback__
    while trace and trace.tb_next and trace.tb_next.tb_next:
        trace = trace.tb_next
    if trace:
        trace.tb_next = None
    assert "ran out of processes" in str(plain(met.value))


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RuntimeError("can't start new thread"), ModuleNotFoundError("x"), OSError(28, "full")]
)
@pytest.mark.usefixtures("unlimited")
def test_every_other_error_stays_what_it_is(error: Exception) -> None:
    assert plain(raised(error)) is error
    assert plain(raised(error, KeyError("x"))) is error
