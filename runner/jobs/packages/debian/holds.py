"""Holds as dpkg and aptitude keep them, each for itself: written to both, verified in both.

apt-mark(8) writes dpkg's; aptitude(8) has its own besides, and its very first run on a machine throws
dpkg's away. So aptitude's are always written first, those that dpkg has already too, and dpkg's last.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.jobs.packages.debian import apt
from runner.model.packages import Update
from runner.model.plan import Argv

# aptitude does not wait for dpkg's lock, so it is asked again. --schedule-only: it shall only write the holds
# down, whatever somebody left planned in its window.
_BOTH = r"""
with_aptitude() { command -v aptitude >/dev/null; }
schedule() {
  tries=10
  until aptitude -q -y --schedule-only "$@" >/dev/null </dev/null; do
    tries=$((tries - 1)); [ $tries -gt 0 ] || return 1; sleep 3
  done
}
first_run() {
  with_aptitude && [ ! -e /var/lib/aptitude/pkgstates ] || return 0
  before=$(apt-mark showhold) || return 1
  [ -n "$before" ] || return 0
  schedule hold $before; ended=$?
  apt-mark -q hold $before >/dev/null && return $ended
}
both() {
  first_run || return 1
  failed=0; verb=$1
  with_aptitude && { schedule "$@" || failed=1; }
  shift
  apt-mark -q "$verb" "$@" || failed=1
  return $failed
}
status() { # status NAME FIELD: of this machine's own architecture, unless the name has another
  own=$(dpkg --print-architecture); case $1 in *:*) own=${1##*:};; esac
  dpkg-query -W -f="\${Architecture}|\${$2}\n" -- "$1" 2>/dev/null |
    awk -F '|' -v own="$own" '$1 == "all" || $1 == own { print $2 }'
}
installed() {
  case $(status "$1" db:Status-Status) in
    ''|not-installed|config-files) return 1;;
  esac
}
verified() {
  failed=0
  with_aptitude && { by_aptitude=$(aptitude -q search '~ahold' -F '%p' --disable-columns 2>/dev/null </dev/null) || :; }
  for name; do
    case $(status "$name" db:Status-Want) in
      hold) ;; *) echo "$name is not held by dpkg" >&2; failed=1;;
    esac
    with_aptitude || continue
    printf '%s\n' "$by_aptitude" | grep -qxF -e "$name" || { echo "$name is not held by aptitude" >&2; failed=1; }
  done
  [ $failed -eq 0 ] && echo "held: $*"
  return $failed
}
"""
_HOLD = _BOTH.lstrip() + 'both hold "$@" && verified "$@"'
_VERIFY = _BOTH.lstrip() + 'verified "$@"'
# Arguments: names to release, --, names to hold afterwards, --, what to run between. A signal ends what
# runs, not this: the holds come back.
_BETWEEN = (
    _BOTH.lstrip()
    + r"""
trap : HUP INT TERM
free= again=
while [ "$1" != -- ]; do free="$free $1"; shift; done; shift
while [ "$1" != -- ]; do again="$again $1"; shift; done; shift
ended=0
[ -z "$free" ] || both unhold $free || ended=1
[ $ended -ne 0 ] || { "$@"; ended=$?; }
there=
for name in $again; do installed "$name" && there="$there $name"; done
[ -z "$there" ] || { both hold $there && verified $there; } || { [ $ended -ne 0 ] || ended=1; }
exit $ended"""
)


def hold(names: Sequence[str]) -> Argv:
    """Hold these installed packages, in dpkg and in aptitude, and verify both. Again does no harm.

    Exit 0 only if all are held in both; otherwise stderr names what is not.
    """
    return ("sh", "-c", _HOLD, "runner-hold", *names)


def verify(names: Sequence[str]) -> Argv:
    """See whether these are held, in dpkg and in aptitude; reads only. Exit 1 names what is not."""
    return ("sh", "-c", _VERIFY, "runner-verify-hold", *names)


def upgrade(updates: Sequence[Update], free: Sequence[str], again: Sequence[str]) -> Argv:
    """Release `free`, install `updates` as `apt.install` does, hold `again`, however the middle ended.

    Of `again` only what is installed then is held, so it may name packages that the upgrade brings.
    The exit code is that of the installation, or 1 where only the holding failed.
    """
    return ("sh", "-c", _BETWEEN, "runner-upgrade", *free, "--", *again, "--", *apt.install(updates))
