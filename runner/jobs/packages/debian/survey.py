"""Everything that is asked of a Debian host's packages, in one go, without changing anything there.

The lists are refreshed in a private folder, and what would be upgraded is found out there, once with the
holds and once without; of an archive that does not answer, where others do, no old list is used. Each answer
is a line `# NAME EXIT`, then its output, a blank before each line of stdout and a `!` before each of stderr,
so that no output can be taken for the next answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.jobs.packages.debian.fixes import FIXES, HIDES
from runner.model.plan import Argv

# A package's name has nothing else in it (deb-control(5)), so a pattern with anything else fits none.
_PATTERN = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9.+:~*?\[\]!-]*")
_HEAD = re.compile(r"# ([a-z]+) ([0-9]{1,9})")

# Hooks of apt are cleared: reading must start nothing. A folder that a killed survey left is swept a day later.
_BEGIN = r"""
umask 022; export DEBIAN_FRONTEND=noninteractive
d=$(mktemp -d /var/tmp/runner-packages.XXXXXXXX) || exit 1
trap 'rm -rf "$d"' EXIT; trap 'exit 1' HUP INT TERM
find /var/tmp -mindepth 1 -maxdepth 1 -type d -user 0 -name 'runner-packages.*' -mmin +1440 -exec rm -rf {} +
chmod 755 "$d"; mkdir "$d/log"
answer() { echo "# $1 $2"; awk '{ print " " $0 }' "$d/out"; head -c 8192 "$d/err" | awk '{ print "!" $0 }'; }
ask() { name=$1; shift; "$@" >"$d/out" 2>"$d/err" </dev/null; answer "$name" $?; }
get() { apt-get -c "$d/apt.conf" -q "$@" </dev/null; }
there() { for path in "$1"*; do [ -e "$path" ]; return; done; }
cat >"$d/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "$d/lists";
Dir::Cache::pkgcache "$d/pkgcache.bin";
Dir::Cache::srcpkgcache "$d/srcpkgcache.bin";
Acquire::Languages "none";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::Retries "1";
Debug::NoLocking "true";
Dir::Log "$d/log";
APT::Get::AutomaticRemove "false";
END
ask copy cp -a /var/lib/apt/lists "$d/lists"
rm -rf "$d/lists/partial"/*
"""

# Where not all answered it is asked once more, with no lists of packages there: those that lie there then came
# just now, whatever apt-get says. Who signed an archive and what it called itself is kept, to be compared. It waits
# for less long: apt keeps what came only at its end. Where none came all is as after the first time. An archive
# without a package has no such list, and is not missed.
_REFRESH = r"""
update() {
  timeout 240 apt-get -c "$d/apt.conf" -q --error-on=any "$@" update >"$d/out" 2>>"$d/err" </dev/null; code=$?
}
lists() { find "$d/lists" -mindepth 1 -maxdepth 1 -name '*_Packages*' "$@"; }
: >"$d/err"; update; some=1  # 0: some archives answered, and not all
if [ $code -ne 0 ]; then
  mkdir "$d/old"; lists -exec mv -t "$d/old" {} +
  update -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10
  if [ $code -eq 0 ]; then :; elif lists | grep -q .; then some=0
  else find "$d/old" -mindepth 1 -exec mv -t "$d/lists" {} +; fi
fi
answer refresh $code
if [ $code -ne 0 ]; then
  apt-get -c "$d/apt.conf" indextargets --no-release-info --format '$(FILENAME)|$(METAKEY)|$(SITE) $(RELEASE)' \
    'Created-By: Packages' 2>"$d/err" |
  awk -F'|' '{ print $1 "|" substr($1, 1, length($1) - length($2)) "|" $3 }' |
  while IFS='|' read -r list archive place; do
    if there "$list"; then echo "came|$place"
    elif there "$d/old/${list##*/}"; then echo "gone|$place"
    elif ! there "${archive}InRelease" && ! there "${archive}Release"; then echo "gone|$place"
    fi
  done |
  awk -F'|' '$1 == "came" { came[$2]; next } !seen[$2]++ { gone[++n] = $2 }
    END { for (i = 1; i <= n; i++) if (!(gone[i] in came)) print gone[i] }' >"$d/out"
  answer partly $some
fi
ask arch dpkg --print-architecture
"""

# aptitude writes down what it wants and what dpkg wanted when it looked last; where dpkg wants something
# else now, that counts. Running aptitude to ask it could change holds, and so could its first run (exit 2).
# awk's NR == FNR is true of the second file where the first is empty: FILENAME tells which file it is.
_HOLDS = r"""
: >"$d/want"; : >"$d/out"; : >"$d/err"; code=127
[ $# -eq 0 ] || dpkg-query -W -f='${Package}\n' "$@" >"$d/want" 2>/dev/null
if command -v aptitude >/dev/null; then code=2; fi
if [ $code -eq 2 ] && [ -e /var/lib/aptitude/pkgstates ]; then
  awk -v native="$(dpkg --print-architecture)" '
    BEGIN { number["install"] = 1; number["hold"] = 2; number["deinstall"] = 3; number["purge"] = 4 }
    function ends() {
      if (p == "") return
      if (by_dpkg) { now[p, a] = want + 0; here[p, a] = state }
      else if ((p, a) in now && here[p, a] !~ /^(config-files|not-installed)$/) {
        if ((now[p, a] != d ? now[p, a] : s) == 2) print p "|" a
      }
      p = ""
    }
    /^Package: / { ends(); p = $2; a = s = d = ""; want = 0; by_dpkg = FILENAME == ARGV[1] }
    /^Architecture: / { a = $2 == "all" ? native : $2 }
    /^Status: / { want = number[$2]; state = $4 }
    /^State: / { s = $2 }
    /^Dselect-State: / { d = $2 }
    END { ends() }' /var/lib/dpkg/status /var/lib/aptitude/pkgstates >"$d/out" 2>"$d/err"
  code=$?
fi
answer aptitude $code
sed 's/|.*//' "$d/out" >>"$d/want"
status='${db:Status-Want}|${db:Status-Status}|${db:Status-Eflag}'
needs='${Depends}, ${Pre-Depends}'
dpkg-query -W -f='${Package}|${Architecture}|${Version}|'"$status|$needs\n" >"$d/all" 2>"$d/err"; code=$?
cp "$d/all" "$d/installed"
awk -F'|' -v brings="$d/brings" '
  function needs_exactly() {
    deps = $0; for (i = 1; i < 7; i++) sub(/^[^|]*[|]/, "", deps); gsub(/^, |, $/, "", deps)
    count = split(deps, each, /[,|]/); all = exact = count > 0
    for (i = 1; i <= count; i++) {
      sub(/^ +/, "", each[i]); split(each[i], word, /[ :(]/)
      exact = exact && each[i] ~ /[(]= /; all = all && word[1] ~ /[0-9][.][0-9]/ && word[1] in want
    }
    return exact
  }
  FILENAME == ARGV[1] { want[$1]; next }
  needs_exactly() && all && $5 != "config-files" { print $1 >>brings }
  $1 in want || $4 != "install" || $5 != "installed" || $6 != "ok" { print; next }
  exact' "$d/want" "$d/all" >"$d/out"
answer table $code
cat "$d/brings" >>"$d/want" 2>/dev/null
"""

# In one copy of dpkg's status every hold is written that there is or should be, in the other none. New packages
# that fit a pattern are pinned away, else a metapackage that is not held would bring the next kernel. Of the
# second and third simulation only what is more than in the first is printed: an answer has an end. Where an archive
# did not answer, only that is printed which apt would do with its old lists too, and without a file from there: else a
# package that somebody's preferences take from there would go over to another archive, or one such file keep all back.
_WOULD = r"""
awk '
  FILENAME == ARGV[1] { want[$1]; next }
  /^Package: / { p = $2 }
  /^Status: (install|hold) / { sub(/^Status: [a-z]+/, "Status: " (($2 == "hold" || p in want) ? "hold" : "install")) }
  { print }' "$d/want" /var/lib/dpkg/status >"$d/status.held"
sed -E 's/^Status: hold /Status: install /' /var/lib/dpkg/status >"$d/status.free"
: >"$d/pins"
if [ $# -gt 0 ]; then
  { printf 'Package:'; printf ' %s' "$@"; printf '\nPin: release *\nPin-Priority: -1\n\n'; } >"$d/pins"
fi
cat /etc/apt/preferences >>"$d/pins" 2>/dev/null
holds="-o Dir::State::status=$d/status.held -o Dir::Etc::preferences=$d/pins"
none="-o Dir::State::status=$d/status.free"
would() {
  name=$1; shift
  get -s "$@" >"$d/all" 2>"$d/err"; code=$?
  grep -E '^(Inst|Remv) ' "$d/all" >"$d/would.$name"
  case $name in
    held) cp "$d/would.held" "$d/out"; [ ! -d "$d/both" ] || as_with_all "$@";;
    full) grep '^Remv ' "$d/would.full" >"$d/out";;
    free) grep -vxFf "$d/would.held" "$d/would.free" >"$d/out";;
  esac
  answer "$name" $code
}
with_all() { get -s -o Dir::State::lists="$d/both" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "$@"; }
version='function version(  i) { for (i = 3; i < 5; i++) if ($i ~ /^[(]/) { gsub(/[()]/, "", $i); return $i } }'
as_with_all() {
  with_all "$@" >"$d/all" 2>>"$d/err" || code=$?
  awk "$version"'$1 != "Inst" { next } { line = $0; word = $2 "=" version() }
    FILENAME ~ /all$/ { with[word]; next } word in with { print word "|" line }' "$d/all" "$d/would.held" >"$d/words"
  : >"$d/needs"
  words=$(cut -d'|' -f1 "$d/words")
  if [ -n "$words" ] && strange $words; then
    n=0  # each takes a second on a small machine, and an answer has an end
    for word in $words; do n=$((n + 1)); { [ $n -gt 100 ] || strange "$word"; } && echo "$word" >>"$d/needs"; done
  fi
  awk -F'|' 'FILENAME ~ /needs$/ { needs[$1]; next } !($1 in needs) { print substr($0, length($1) + 2) }' \
    "$d/needs" "$d/words" >"$d/out"
}
# Does apt, to install these, take anything that no archive has which answered?
strange() {
  with_all $holds --no-remove --no-install-recommends install "$@" >"$d/all" 2>/dev/null || return 0
  awk "$version"'$1 != "Inst" { next } { word = $2 "=" version() }
    FILENAME ~ /held$/ { known[word]; next } !(word in known) { found = 1 } END { exit !found }' \
    "$d/would.held" "$d/all"
}
if [ $some -eq 0 ]; then cp -a "$d/old" "$d/both"; cp -a "$d/lists/." "$d/both"; fi
would held $holds upgrade --with-new-pkgs
would full $holds dist-upgrade
would free $none upgrade --with-new-pkgs
kept=$(awk '/^The following packages have been kept back/ { on = 1; next } /^[^ ]/ { on = 0 }
  on { for (i = 1; i <= NF; i++) if ($i ~ /^[A-Za-z0-9.+:~-]+$/) print $i }' "$d/all" | head -n 10)
for name in $kept; do
  get -s --no-remove $none install "$name" >"$d/all" 2>"$d/err"; code=$?
  { echo "$name"; awk '/have unmet dependencies/ { on = 1; next } on' "$d/all" | head -n 5
    apt-cache -c "$d/apt.conf" --no-all-versions show "$name" | grep '^Phased-Update-Percentage: '; } >"$d/out"
  answer kept $code
done
if [ $some -eq 0 ]; then
  for word in $(cat "$d/needs"); do echo "${word%%=*}" >"$d/out"; : >"$d/err"; answer kept 100; done
fi
get -qq --print-uris $holds upgrade --with-new-pkgs >"$d/all" 2>"$d/err"; code=$?
# 'URI' FILE SIZE, and a checksum or none; a URI may have blanks.
awk '{ sum += $NF ~ /^[0-9]+$/ ? $NF : $(NF - 1) } END { printf "%.0f\n", sum }' "$d/all" >"$d/out"
answer download $code
back=$(awk '$1 != "Inst" { next } FILENAME ~ /held$/ { seen[$2]; next } !($2 in seen) { print $2 }' \
  "$d/would.held" "$d/would.free" | head -n 300)
: >"$d/out"; : >"$d/err"; code=0
if [ -n "$back" ]; then
  apt-cache -c "$d/apt.conf" --no-all-versions show $back >"$d/all" 2>"$d/err"; code=$?
  grep -E '^(Package|Version|Architecture|Depends|Pre-Depends|Breaks|Conflicts): ' "$d/all" >"$d/out"
fi
answer back $code
"""

_HEALTH = r"""
ask check get check
ask audit dpkg --audit
ask updates ls -A /var/lib/dpkg/updates
for path in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
  stat -c '%i %n' "$path" 2>/dev/null
done >"$d/locks"
awk 'FILENAME == ARGV[1] { name[$1] = $2; next } $2 == "->" { next }
  { split($6, at, ":"); if (at[3] in name) print $5, name[at[3]] }' "$d/locks" /proc/locks 2>/dev/null |
while read -r pid path; do
  # Other filesystems have the same inode numbers: is it this very file that the process has open?
  for fd in "/proc/$pid/fd"/*; do [ "$fd" -ef "$path" ] && break; done || continue
  echo "$pid|$path|$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | tr -c '[:print:]' '?' | head -c 100)"
done >"$d/out"
: >"$d/err"; answer locks 0
ask room stat -f -c '%n|%S|%a|%c|%d' /boot /var/cache/apt/archives /var/lib/dpkg /usr
ask initrds find /boot -maxdepth 1 -name 'initrd.img-*' -printf '%s\n'
: >"$d/out"; : >"$d/err"; answer end 0
"""
_SCRIPT = _BEGIN + _REFRESH + _HOLDS + FIXES + _WOULD + HIDES + _HEALTH


class SurveyAnswer(NamedTuple):
    """What one of the commands printed; `exit` as the shell tells it, 127 where the program is not there."""

    exit: int
    out: tuple[str, ...] = ()
    err: tuple[str, ...] = ()


Survey = Mapping[str, tuple[SurveyAnswer, ...]]
_NONE = SurveyAnswer(exit=127)


def ask(patterns: Sequence[str]) -> Argv:
    """Ask it all; `patterns` are of the names that should be held. Takes seconds, and up to some minutes
    where a mirror does not answer. Ends with 0 and tells what failed in its answers."""
    return ("sh", "-c", _SCRIPT, "runner-packages", *(name for name in patterns if _PATTERN.fullmatch(name)))


def parse(text: str) -> Survey:
    """The answers by name, in the order they were given; empty unless it is the whole text.

    Every name is there once, apart from `kept`: one for each package that cannot be upgraded at all. `partly` is
    there where `refresh` failed: exit 0 if some archives answered, by whose lists alone the rest then is; its
    lines are the others.
    """
    answers: dict[str, list[SurveyAnswer]] = {}
    for block in re.split(r"^(?=# )", text, flags=re.MULTILINE):
        head, *lines = block.split("\n")
        if title := _HEAD.fullmatch(head):
            out = tuple(line[1:] for line in lines if line.startswith(" "))
            err = tuple(line[1:] for line in lines if line and not line.startswith(" "))
            answers.setdefault(title[1], []).append(SurveyAnswer(exit=int(title[2]), out=out, err=err))
    return {name: tuple(each) for name, each in answers.items()} if "end" in answers else {}


def answer(survey: Survey, name: str) -> SurveyAnswer:
    """The (first) answer of that name."""
    return survey.get(name, (_NONE,))[0]
