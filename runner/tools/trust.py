"""What the runner runs or obeys may be changed by nobody but root and whoever runs it, or nothing is done."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec

from runner.agent import trust
from runner.agent.trust import Exposure
from runner.model.errors import Exposed

_HOUSE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_PACKAGES = ("runner", "hooks", "schema")
# Where files lie that are read and never imported.
_DATA = ("schema", "schema/kinds", "schema/hooks", "hooks", "runner/verbs")
# Python's own modules are as safe as Python itself.
_LIBRARY = f"{os.path.dirname(os.__file__)}/"
# What Python itself was started by.
_START = (sys.executable, f"{sys.prefix}/pyvenv.cfg")
# Of a mode: what it is, and whether others than its owner may write it.
_KIND_AND_OTHERS = 0o170022
_CLOSED = (stat.S_IFREG, stat.S_IFDIR)
_SHOWN = 20


def require(files: Iterable[str], *, folders: Iterable[str] = ()) -> None:
    """Exposed, with every place at once, unless these are closed to others; in `folders` nobody may make names."""
    if exposed := exposures(files, folders):
        raise refusal(exposed)


def exposures(files: Iterable[str], folders: Iterable[str] = ()) -> tuple[Exposure, ...]:
    """Every place by which others may change these files, or make names in these folders, each of them once."""
    places: dict[str, Exposure] = {}
    try:
        for path in files:
            places |= {place.path: place for place in trust.exposures(path)}
        for path in folders:
            places |= {place.path: place for place in trust.exposures(path, whole=True)}
    except OSError as error:
        raise Exposed(
            f"who may change {error.filename} cannot be seen: {error.strerror}", do="mend its path"
        ) from error
    return tuple(places.values())


def refusal(exposed: Iterable[Exposure]) -> Exposed:
    """The error for these places, with the command that closes each."""
    places = tuple(exposed)
    lines = [f"  {path}: {who}; {command or 'work in another folder'}" for path, who, command in places[:_SHOWN]]
    lines += [f"  and {len(places) - _SHOWN} more"] * (len(places) > _SHOWN)
    whose = "root" if os.geteuid() == 0 else "this user"
    return Exposed(
        "\n".join((f"others may change what {whose} would run or obey here:", *lines)),
        do=f"give these commands, or move the site to a folder that only {whose} may write (docs/trust.md)",
    )


@contextmanager
def watched() -> Iterator[None]:
    """Exposed where others may change the runner: what Python has loaded already, where it looks, and, while this
    lasts, each further module before it runs, whoever imports it.
    """
    watch = _ClosedModules()
    watch.look(path for module in tuple(sys.modules.values()) if (path := getattr(module, "__file__", None)))
    watch.look(entry.path for folder in _DATA for entry in os.scandir(f"{_HOUSE}/{folder}"))
    if exposures(_START, sys.path):
        raise refusal(_everywhere(*_START))
    # Lines of these run when Python starts.
    watch.look(entry.path for folder in sys.path for entry in _entries(folder) if entry.name.endswith(".pth"))
    sys.meta_path.insert(0, watch)
    try:
        yield
    finally:
        sys.meta_path.remove(watch)


def require_modules(files: Iterable[str]) -> None:
    """Exposed unless these modules of the runner are closed to others."""
    _ClosedModules().look(files)


class _ClosedModules:
    """The first of Python's finders: what another of them finds is looked at before it is run."""

    def __init__(self) -> None:
        self._closed: set[str] = set()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        for finder in tuple(sys.meta_path):
            spec: ModuleSpec | None = None if finder is self else finder.find_spec(name, path, target)  # type: ignore[arg-type]
            if spec is not None:
                if spec.has_location and spec.origin:
                    self.look((spec.origin,))
                return spec
        return None

    def look(self, files: Iterable[str]) -> None:
        """Exposed unless these modules are closed: each, and their folders, which are looked at once.

        What Python compiled lies in a folder of its own, with the mode that the module had.
        """
        for file in files:
            if file.startswith(_LIBRARY) and "/site-packages/" not in file:
                continue
            folder = file.rpartition("/")[0]
            if folder not in self._closed:
                self._look(folder, whole=True)
                self._closed.add(folder)
                self._look(f"{folder}/__pycache__", whole=True)
            self._look(file)

    def _look(self, path: str, *, whole: bool = False) -> None:
        if path.rpartition("/")[0] in self._closed:
            # The folder above is closed, so this place alone counts, where it leads nowhere else.
            try:
                status = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return  # it is not compiled yet, or in an archive
            if status.st_mode & _KIND_AND_OTHERS in _CLOSED and status.st_uid in trust.TRUSTED:
                return
        if trust.exposures(path, whole=whole):
            raise refusal(_everywhere(path))


def _entries(folder: str) -> Iterable[os.DirEntry[str]]:
    return os.scandir(folder) if folder.endswith("-packages") and os.path.isdir(folder) else ()


def _everywhere(*files: str) -> tuple[Exposure, ...]:
    """All that is open in the program, `files` among it: slow, and wanted only where something is."""
    tops = [os.path.join(_HOUSE, name) for name in _PACKAGES]
    tops += [os.path.realpath(sys.prefix)] if sys.prefix != sys.base_prefix else []
    places = {place.path: place for place in exposures((*files, *_START), (*tops, *sys.path))}
    for top in tops:
        for path in _open_below(top):
            # What closes a folder closes all that is in it.
            places = {place: how for place, how in places.items() if not place.startswith(f"{path}/")}
            places[path] = trust.exposure(path, os.lstat(path), below=os.path.isdir(path))
    return tuple(places.values())


def _open_below(folder: str) -> Iterator[str]:
    if trust.is_open(folder, os.lstat(folder)):
        yield folder
        return
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from _open_below(entry.path)
        elif not entry.is_symlink() and trust.is_open(entry.path, entry.stat()):
            yield entry.path
