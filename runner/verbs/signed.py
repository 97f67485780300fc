"""Who has signed a plan: two keepers, where what it does is not for one alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.engine.planfile import PlanFile
from runner.model.errors import PlanRefused, RunnerError, remedy
from runner.model.site import Site
from runner.model.text import count
from runner.planning.keepers import ENOUGH, reasons
from runner.tools import keepers
from runner.verbs.app import App

_MOST_BYTES = 64 << 10
_MOST = 20
_PATIENCE = 30.0
_MAKE = "write a line for each keeper, their name and public key: anna ssh-ed25519 AAAA... (docs/guide.md)"


def signers(app: App, plan: str, file: PlanFile) -> tuple[str, ...]:
    """The keepers who have signed these very bytes of the file `plan`; none where it needs none.

    PlanRefused where it needs two, and they have not.
    """
    needing = reasons(file.plan, app.site)
    if not needing:
        return ()
    why = f"{next(iter(needing.values()))}, so two keepers have to sign {plan}"
    listed(app.site)
    place = keepers.beside(plan)
    given = keepers.signatures(_read(place, plan, why))
    if len(given) > _MOST:
        raise PlanRefused(
            f"{place} has {len(given)} signatures: most must be of other plans", do=f"remove {place}, and sign again"
        )
    signed_by = _signers(app, file.content, given)
    names = tuple(dict.fromkeys(name for name in signed_by if name))
    if len(names) >= ENOUGH:
        return names
    who = f"only {names[0]} has" if names else "none of them has"
    strange = signed_by.count("")
    rest = f"; {count(strange, 'signature')} there of another plan, or of nobody in keepers" if strange else ""
    raise _refused(f"{why}, and {who}{rest}", plan)


def listed(site: Site) -> tuple[str, ...]:
    """Who may sign. PlanRefused where the file of keepers cannot be read, or has not two of them."""
    path = site.keepers
    try:
        names = keepers.names(Path(path).read_text("utf-8"))
    except OSError as error:
        raise PlanRefused(f"{path}, which says who may sign: {error.strerror}", do=_MAKE) from error
    except ValueError as error:
        what = "it is no text" if isinstance(error, UnicodeDecodeError) else error
        raise PlanRefused(f"{path}, which says who may sign: {what}", do=_MAKE) from error
    if len(names) < ENOUGH:
        raise PlanRefused(f"{path} names {' and '.join(names) or 'nobody'}, and two keepers have to sign", do=_MAKE)
    return names


def _read(place: Path, plan: str, why: str) -> bytes:
    try:
        # Whoever may write beside the plan may have put anything there.
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            whole = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = stream.read(_MOST_BYTES + 1) if whole else b""
    except FileNotFoundError as error:
        raise _refused(f"{why}: there is no {place}", plan) from error
    except OSError as error:
        raise PlanRefused(f"{why}: {place} cannot be read: {error.strerror}", do=remedy(error)) from error
    if not whole or len(content) > _MOST_BYTES:
        raise PlanRefused(f"{why}: {place} is no file of signatures", do=f"remove {place}, and sign again")
    return content


def _refused(text: str, plan: str) -> PlanRefused:
    return PlanRefused(text, do="two keepers read it, and each of them signs it:", command=keepers.sign(plan))


def _signers(app: App, content: bytes, given: tuple[bytes, ...]) -> tuple[str, ...]:
    """Of each signature whose it is, "" where it is not of this content or of no keeper."""
    try:
        with TemporaryDirectory(prefix=".signed-", dir=app.site.state) as folder:
            names = []
            for number, signature in enumerate(given):
                place = Path(folder) / f"{number}.sig"
                place.write_bytes(signature)
                names.append(_signer(app, content, place))
            return tuple(names)
    except OSError as error:
        text = f"no signature can be looked at in {app.site.state}: {error.strerror}"
        raise RunnerError(text, do=remedy(error)) from error


def _signer(app: App, content: bytes, signature: Path) -> str:
    code, answer = _asked(app, keepers.find(signature, app.site.keepers), b"")
    words = answer.decode("utf-8", "replace").split() if code == 0 else []
    # A key that is several persons' is nobody's.
    name = keepers.name(words[0]) if len(words) == 1 else ""
    return name if name and _asked(app, keepers.verify(signature, app.site.keepers, name), content)[0] == 0 else ""


def _asked(app: App, argv: tuple[str, ...], content: bytes) -> tuple[int, bytes]:
    ended = app.transports[app.site.controller].run(argv, timeout=_PATIENCE, stdin=(content,))
    if ended.exit is None or ended.timed_out:
        text = f"whether it is signed cannot be seen: {ended.error}"
        raise PlanRefused(text, do="install ssh-keygen (openssh-client), and apply again")
    return ended.exit, ended.out
