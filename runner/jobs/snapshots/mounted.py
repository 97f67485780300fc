"""How a store's filesystem is mounted: a snapshot holds every program and device that the copied host ever had."""

from __future__ import annotations

import shlex

from runner.config.overlap import inside
from runner.model.facts import Facts, HostFacts
from runner.model.options import DiskOptions
from runner.model.plan import Finding
from runner.model.site import Site, Store


def harmful(site: Site, store: Store, facts: Facts) -> tuple[Finding, ...]:
    """That its programs run with their owner's rights there, or its devices are devices; a disk job mends it itself.

    On the root filesystem nobody can mount it otherwise: there only the folder's mode keeps others away.
    """
    host = facts.hosts[store.host]
    known = host.stores[store.name]
    mends = (job.options.disk for job in site.jobs if isinstance(job.options, DiskOptions))
    if not known.lacks or site.host(store.host).root or store.disk in mends:
        return ()
    mount, lacks = _mount(host, known.path), ",".join(known.lacks)
    text = f"store {store.name} is on {mount} of {store.host}, mounted without {' and '.join(known.lacks)}"
    if mount == "/":
        text += ": only the mode of its folder keeps users from the programs in its snapshots"
        return (Finding(severity="note", text=text, source=""),)
    do = f"add {lacks} to the options of {mount} in /etc/fstab of {store.host}, and run there:"
    command = shlex.join(("mount", "-o", f"remount,{lacks}", mount))
    return (Finding(severity="attention", text=text, source="", do=do, command=command),)


def _mount(host: HostFacts, path: str) -> str:
    above = [each.mount for each in host.filesystems if inside(path, each.mount)]
    return max(above, key=len, default="/")
