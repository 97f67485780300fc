"""e2fsck(8): a whole check of a disk that is not mounted, and the claims that guard it."""

from __future__ import annotations

from collections.abc import Sequence

from runner.agent.arguments import argv
from runner.agent.power.contract import InUse
from runner.agent.store.contract.hold import Release
from runner.model.plan import Argv, Check

# 0: nothing found; 1: what was found is put right. Anything more leaves errors, or did not run to its end.
DONE = (0, 1)


def check(device: str) -> Argv:
    """Check all of `device`, which must not be mounted; mends what is safe to mend without asking anybody."""
    return ("e2fsck", "-p", "-f", "--", device)


def unmount(mount: str) -> Argv:
    """Unmount what is at `mount`; fails while anybody has anything open there."""
    return ("umount", "--", mount)


def release(program: str, store: str, plan: str) -> Argv:
    """End the lock that `plan` holds in `store`, since it lies on the disk that is to be unmounted."""
    return (program, *argv("release", Release(store, plan)))


def unused(host: str, program: str, mount: str, plan: str, stores: Sequence[str]) -> Check:
    """The claim that nobody uses what is mounted at `mount`, but for the locks of `plan` in `stores`."""
    options = InUse(plan=plan, store=tuple(stores), folder=(mount,))
    command = (program, *argv("in-use", options))
    return Check(host=host, argv=command, field="users", relation="==", value=0, why=f"nobody uses {mount}")


def sound(host: str, program: str, device: str) -> Check:
    """The claim that no errors are marked on `device`, so that it may be mounted."""
    return _holds(host, program, device, "sound", f"no errors are left on {device}")


def mounted(host: str, program: str, device: str) -> Check:
    """The claim that `device` is mounted somewhere."""
    return _holds(host, program, device, "mounted", f"{device} is mounted")


def _holds(host: str, program: str, device: str, field: str, why: str) -> Check:
    command = (program, *argv("in-use", InUse(device=device)))
    return Check(host=host, argv=command, field=field, relation="==", value=True, why=why)
