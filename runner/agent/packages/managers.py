"""The programs that change packages, by the names of their processes, and the locks that they hold."""

from __future__ import annotations

import re

PROGRAMS = frozenset(("dpkg", "apt-get", "apt", "aptitude", "yum", "dnf", "rpm"))
# Those of them that only read, by their words: looks of our own run beside this one.
READS = {
    "dpkg": re.compile(
        rb"--audit|-C|-[lsLSpV]|--(list|status|search|verify|print-.*|get-selections|compare-versions)"
    ),
    "rpm": re.compile(rb"-q.*|--query|-V.*|--verify|--eval|-E|--version"),
    "apt-get": re.compile(rb"-s|--simulate|--just-print|--print-uris|check"),
}
# Below the root; who holds one of them works on the packages.
LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/lib/rpm/.rpm.lock")
