"""What is still an example's in a live site, whether anybody would hear of it, and whether its secrets are closed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from runner.config.complaints import KeyPath, Problem, show
from runner.model.site import Site

Unfit = Callable[[str], str]
# Nobody has these names, nor ever will (RFC 2606).
_HOST = re.compile(r"(?:.*\.)?(?:example|example\.(?:com|net|org|edu))\.?", re.IGNORECASE)
_PAGE = re.compile(r"https?://(?:[^/@]*@)?([^/:?#]+).*", re.IGNORECASE)
# Of jobs.toml as it comes, and of the guide: the serial numbers are made up.
_DEVICES = ("usb-Example_", "usb-Samsung_Portable_SSD_T5_S49WNV0N")
_FOLDER = "/dev/disk/by-id/"


def check(site: Site, *, hears: bool, unfit: Unfit) -> Iterator[Problem]:
    """Find what keeps a site from being live; nothing where it is not. `hears` is whether a hook carries reports.

    `unfit` says of a file why a secret is not taken out of it, "" where it is, or where there is none.
    """
    if not site.live:
        return
    yield from _examples(site)
    if not site.people.admin:
        text = 'is missing, and the site is live: who gets the reports? Say admin = ["root@localhost"], for instance'
        yield Problem(path=("people", "admin"), text=text)
    elif groups := _unheard(site):
        names = " and ".join(f"people.{group}" for group in groups)
        text = f'nobody is in {names}, and the site is live: who gets the reports? Fill it, or say to = ["admin"]'
        yield Problem(path=("hooks", "mail", "to"), text=text)
    if not hears:
        yield Problem(path=("hooks",), text="none carries reports to anybody, and the site is live: add [hooks.mail]")
    yield from _secrets(site, unfit)


def _secrets(site: Site, unfit: Unfit) -> Iterator[Problem]:
    files: list[tuple[KeyPath, object]] = [(("hosts", host.name, "key"), host.key) for host in site.hosts]
    for hook in site.hooks:
        if isinstance(smtp := hook.settings.get("smtp"), Mapping) and hook.module.startswith("hooks."):
            files.append((("hooks", hook.name, "smtp", "password_file"), smtp.get("password_file")))
    for path, file in files:
        if file and isinstance(file, str) and (why := unfit(file)):
            yield Problem(path=path, text=why)


def _unheard(site: Site) -> tuple[str, ...]:
    """The groups that the mail hook writes to, where nobody is in any of them."""
    for hook in site.hooks:
        groups = hook.settings.get("to", ())
        if hook.module == "hooks.mail" and groups and not any(getattr(site.people, group) for group in groups):
            return tuple(groups)
    return ()


def _examples(site: Site) -> Iterator[Problem]:
    """Addresses and devices that came with jobs.toml or stand in the guide, each at its key."""
    for path, value in _addresses(site):
        page = _PAGE.fullmatch(value)
        if _HOST.fullmatch(page[1] if page else value.rpartition("@")[2]):
            out = "; the controller needs none" if path[-1] == "address" else ", or take it out"
            text = f"{show(value)} is an example, and the site is live: write the real one{out}"
            yield Problem(path=path, text=text)
    for disk in site.disks:
        if disk.device.startswith(tuple(f"{_FOLDER}{name}" for name in _DEVICES)):
            text = f"{show(disk.device)} is an example, and the site is live: `ls -l {_FOLDER}` shows the real one"
            yield Problem(path=("disks", disk.name, "device"), text=text)


def _addresses(site: Site) -> Iterator[tuple[KeyPath, str]]:
    for host in site.hosts:
        yield ("hosts", host.name, "address"), host.address
        yield ("hosts", host.name, "jump"), host.jump
    for group in ("admin", "experts", "users"):
        for place, mail in enumerate(getattr(site.people, group)):
            yield ("people", group, place), mail
    for job in site.jobs:
        if isinstance(page := getattr(job.options, "page", ""), str):
            yield ("jobs", job.name, "page"), page
    for hook in site.hooks:
        # Of other hooks nobody here knows what an address is.
        if not hook.module.startswith("hooks."):
            continue
        if isinstance(sender := hook.settings.get("from", ""), str):
            yield ("hooks", hook.name, "from"), sender
        smtp = hook.settings.get("smtp", {})
        if isinstance(smtp, Mapping) and isinstance(server := smtp.get("host", ""), str):
            yield ("hooks", hook.name, "smtp", "host"), server
