"""Who has signed a plan, or an order: two keepers, where what it does is not for one alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ToSign:
    """Bytes that keepers have to sign for this purpose: the `file` that they are in, and why they have to."""

    file: str
    content: bytes
    namespace: str
    why: str


def signers(app: App, plan: str, file: PlanFile) -> tuple[str, ...]:
    """The keepers who have signed these very bytes of the file `plan`; none where it needs none.

    PlanRefused where it needs two, and they have not.
    """
    needing = reasons(file.plan, app.site)
    if not needing:
        return ()
    why = f"{next(iter(needing.values()))}, so two keepers have to sign {plan}"
    return tuple(given(app, ToSign(file=plan, content=file.content, namespace=keepers.PLAN, why=why), ENOUGH))


def given(app: App, asked: ToSign, enough: int) -> Mapping[str, bytes]:
    """A right signature of each keeper who has signed. PlanRefused where these are not `enough`."""
    listed(app.site, enough)
    place = keepers.beside(asked.file)
    offered = keepers.signatures(_read(place, asked))
    if len(offered) > _MOST:
        raise PlanRefused(
            f"{place} has {len(offered)} signatures: most must be of other plans", do=f"remove {place}, and sign again"
        )
    signed_by = _signers(app, asked, offered)
    named = {name: each for name, each in zip(signed_by, offered, strict=True) if name}
    if len(named) >= enough:
        return named
    who = f"only {' and '.join(named)} has" if named else "none of them has"
    strange = signed_by.count("")
    rest = f"; {count(strange, 'signature')} there of another plan, or of nobody in keepers" if strange else ""
    raise _refused(f"{asked.why}, and {who}{rest}", asked)


def listed(site: Site, enough: int = ENOUGH) -> tuple[str, ...]:
    """Who may sign. PlanRefused where the file of keepers cannot be read, or has not so many of them."""
    path = site.keepers
    try:
        names = keepers.names(Path(path).read_text("utf-8"))
    except OSError as error:
        raise PlanRefused(f"{path}, which says who may sign: {error.strerror}", do=_MAKE) from error
    except ValueError as error:
        what = "it is no text" if isinstance(error, UnicodeDecodeError) else error
        raise PlanRefused(f"{path}, which says who may sign: {what}", do=_MAKE) from error
    if len(names) < enough:
        many = "two keepers" if enough == ENOUGH else count(enough, "keeper")
        verb = "has" if enough == 1 else "have"
        raise PlanRefused(f"{path} names {' and '.join(names) or 'nobody'}, and {many} {verb} to sign", do=_MAKE)
    return names


def _read(place: Path, asked: ToSign) -> bytes:
    why = asked.why
    try:
        # Whoever may write beside the plan may have put anything there.
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            whole = stat.S_ISREG(os.fstat(descriptor).st_mode)
            content = stream.read(_MOST_BYTES + 1) if whole else b""
    except FileNotFoundError as error:
        raise _refused(f"{why}: there is no {place}", asked) from error
    except OSError as error:
        raise PlanRefused(f"{why}: {place} cannot be read: {error.strerror}", do=remedy(error)) from error
    if not whole or len(content) > _MOST_BYTES:
        raise PlanRefused(f"{why}: {place} is no file of signatures", do=f"remove {place}, and sign again")
    return content


def _refused(text: str, asked: ToSign) -> PlanRefused:
    command = keepers.sign(asked.file, asked.namespace)
    return PlanRefused(text, do="they read it, and each of them signs it:", command=command)


def _signers(app: App, asked: ToSign, offered: tuple[bytes, ...]) -> tuple[str, ...]:
    """Of each signature whose it is, "" where it is not of this content or of no keeper."""
    try:
        with TemporaryDirectory(prefix=".signed-", dir=app.site.state) as folder:
            names = []
            for number, signature in enumerate(offered):
                place = Path(folder) / f"{number}.sig"
                place.write_bytes(signature)
                names.append(_signer(app, asked, place))
            return tuple(names)
    except OSError as error:
        text = f"no signature can be looked at in {app.site.state}: {error.strerror}"
        raise RunnerError(text, do=remedy(error)) from error


def _signer(app: App, asked: ToSign, signature: Path) -> str:
    code, answer = _asked(app, keepers.find(signature, app.site.keepers), b"")
    words = answer.decode("utf-8", "replace").split() if code == 0 else []
    # A key that is several persons' is nobody's.
    name = keepers.name(words[0]) if len(words) == 1 else ""
    if not name:
        return ""
    verify = keepers.verify(signature, app.site.keepers, name, asked.namespace)
    return name if _asked(app, verify, asked.content)[0] == 0 else ""


def _asked(app: App, argv: tuple[str, ...], content: bytes) -> tuple[int, bytes]:
    ended = app.transports[app.site.controller].run(argv, timeout=_PATIENCE, stdin=(content,))
    if ended.exit is None or ended.timed_out:
        text = f"whether it is signed cannot be seen: {ended.error}"
        raise PlanRefused(text, do="install ssh-keygen (openssh-client), and apply again")
    return ended.exit, ended.out
