"""The security updates that a Debian host's archives have, whatever apt's own settings prefer, and what hides them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from runner.jobs.packages.debian.version import NAME, VERSION, is_named_for_security, key
from runner.model.packages import Trouble
from runner.model.text import one_line

_NAMED = 10
_FIX = re.compile(rf"({NAME})\|({VERSION})\|({VERSION})")
# Before any simulation: of each installed package the versions that an archive for security has, from the lists
# themselves, so that no setting of apt has a part in it. An archive is one by its label, suite or codename.
FIXES = r"""
get indextargets --no-release-info --format '$(FILENAME)|$(METAKEY)' 'Created-By: Packages' >"$d/all" 2>"$d/err"
code=$?
awk -F'|' '{ print $1 "|" substr($1, 1, length($1) - length($2)) }' "$d/all" | while IFS='|' read -r list archive; do
  for file in "${archive}InRelease" "${archive}Release" /dev/null; do
    [ ! -e "$file" ] || break
  done
  awk -v list="$list" '
    /^(MD5Sum|SHA1|SHA256|SHA512):/ { exit }
    /^(Label|Suite|Codename): / { gsub(/[|]/, " "); is[$1] = substr($0, length($1) + 2) }
    END { print is["Label:"] "|" is["Suite:"] "|" is["Codename:"] "|" list }' "$file"
done >"$d/archives"
cp "$d/archives" "$d/out"
answer archives $code
: >"$d/err"; : >"$d/lists.all"
awk -F'|' 'tolower($1 "|" $2 "|" $3 "|") ~ /-security *[|]/ { print $4 }' "$d/archives" | while read -r list; do
  for file in "$list" "$list".gz "$list".bz2 "$list".xz "$list".lz4 "$list".zst; do
    [ ! -e "$file" ] || /usr/lib/apt/apt-helper cat-file "$file" 2>>"$d/err" || echo failed >"$d/failed"
    echo
  done
done >"$d/lists.all"
awk -F'|' -v native="$(dpkg --print-architecture)" '
  function label(name, arch) { return name (arch == "all" || arch == native ? "" : ":" arch) }
  FILENAME == ARGV[1] { if ($5 !~ /^(config-files|not-installed)$/) has[label($1, $2)] = $3; next }
  /^Package: / { p = substr($0, 10) }
  /^Version: / { v = substr($0, 10) }
  /^Architecture: / { a = substr($0, 15) }
  $0 != "" || p == "" { next }
  { l = label(p, a); p = ""; if (l in has && has[l] != v && !seen[l, v]++) print l "|" has[l] "|" v }
  ' "$d/installed" "$d/lists.all" >"$d/fixes"
cp "$d/fixes" "$d/out"; code=0; [ ! -e "$d/failed" ] || code=1
answer fixes $code
"""
# After the simulations: which of these no simulation takes, and for each setting of apt what it would take without it.
HIDES = r"""
awk '$1 == "Inst" { for (i = 3; i < 5; i++) if ($i ~ /^[(]/) { gsub(/[()]/, "", $i); print $2 "|" $i; next } }' \
  "$d/would.held" "$d/would.free" | sort -u >"$d/taken"
while IFS='|' read -r name old new; do
  dpkg --compare-versions "$new" gt "$old" || continue
  taken=1
  for word in $(awk -F'|' -v name="$name" '$1 == name { print $2 }' "$d/taken"); do
    dpkg --compare-versions "$word" lt "$new" || taken=0
  done
  [ $taken -eq 0 ] || echo "$name|$new"
done <"$d/fixes" >"$d/hidden" 2>/dev/null
names=$(cut -d'|' -f1 "$d/hidden" | sort -u | head -n 100)
# The files that apt reads, in its order: apt_preferences(5).
settings() {
  for file in /etc/apt/preferences /etc/apt/preferences.d/*; do
    name=${file##*/}; name=${name%.pref}
    case $name in *[!A-Za-z0-9_-]*) continue;; esac
    [ ! -f "$file" ] || echo "$file"
  done
}
policy() { # policy PLACE OPTION...: the version that apt prefers of each
  place=$1; shift
  apt-cache -c "$d/apt.conf" "$@" policy $names 2>>"$d/err" | awk -v place="$place" '
    /^[^ ]/ { name = substr($0, 1, length($0) - 1) }
    /^  Candidate: / { print place "|" name "|" $2 }'
}
: >"$d/out"; : >"$d/err"; : >"$d/places"; : >"$d/stanzas"
if [ -n "$names" ]; then
  files=$(settings)
  [ -z "$files" ] || awk -v places="$d/places" '
    FNR == 1 { fresh = 1 }
    /^[ \t]*$/ { fresh = 1; next }
    fresh { n++; fresh = 0 }
    tolower($0) ~ /^package:/ { print n "|" FILENAME ":" FNR >places }
    { print n "|" $0 }' $files >"$d/stanzas"
  without="-o Dir::Etc::preferencesparts=/dev/null -o Dir::Etc::preferences="
  policy "" >>"$d/out"
  policy "*" ${without}/dev/null -o APT::Default-Release= >>"$d/out"
  if [ -n "$(apt-config dump APT::Default-Release)" ]; then
    where=$(grep -ns '^[^/#]*Default-Release' /etc/apt/apt.conf /etc/apt/apt.conf.d/* | cut -d: -f1,2 | head -n 1)
    policy "APT::Default-Release in ${where:-the configuration of apt}" -o APT::Default-Release= >>"$d/out"
  fi
  head -n 40 "$d/places" >"$d/some"
  while IFS='|' read -r number place; do
    awk -F'|' -v less="$number" '$1 == less { next } $1 != last { print ""; last = $1 }
      { print substr($0, length($1) + 2) }' "$d/stanzas" >"$d/less"
    policy "$place" ${without}"$d/less" >>"$d/out"
  done <"$d/some"
fi
answer hides 0
"""


class SecurityVersions(NamedTuple):
    """What archives for security have: versions of installed packages by name, as apt writes it; other than
    the installed ones.
    """

    installed: Mapping[str, str]
    versions: Mapping[str, tuple[str, ...]]

    def brings(self, name: str, old: str, new: str) -> bool:
        """Whether going from `old` to `new` brings such a version, or passes one over."""
        return any(key(old) < key(fix) <= key(new) for fix in self.versions.get(name, ()))

    def missed(self, taken: Mapping[str, str]) -> dict[str, str]:
        """The newest of each package that is newer than what is installed, and than what is `taken` of it."""
        newest = {name: max(versions, key=key) for name, versions in self.versions.items()}
        return {
            name: new
            for name, new in newest.items()
            if key(new) > max(key(self.installed[name]), key(taken.get(name, "0~~")))
        }


def parse(lines: Iterable[str]) -> SecurityVersions:
    """Read the lines of the answer `fixes`."""
    installed: dict[str, str] = {}
    versions: dict[str, tuple[str, ...]] = {}
    for match in filter(None, map(_FIX.fullmatch, lines)):
        name, old, new = match.groups()
        installed[name] = old
        versions[name] = (*versions.get(name, ()), new)
    return SecurityVersions(installed, versions)


def is_there(archives: Iterable[str]) -> bool:
    """Whether one of the lines of the answer `archives` is of an archive for security updates."""
    return any(is_named_for_security(word) for line in archives for word in line.split("|")[:3])


def hidden(missed: Mapping[str, str], hides: Iterable[str], *, partly: bool) -> Iterator[Trouble]:
    """Which settings of apt hide security updates: `missed` are those that apt does not take, by name.

    `hides` are the lines of that answer: which version apt would prefer without which of its settings, "" with all
    of them and "*" with none. Where some archive did not answer (`partly`), that may be why apt takes one not.
    """
    candidates: dict[str, dict[str, str]] = defaultdict(dict)
    for place, name, version in (line.rsplit("|", 2) for line in hides if line.count("|") >= 2):
        candidates[place][name] = version

    def prefer(place: str, name: str) -> bool:
        return key(candidates[place].get(name, "0~~")) >= key(missed[name])

    settings = [place for place in candidates if place not in ("", "*")]
    victims: dict[str, list[str]] = defaultdict(list)
    for name in missed:
        if prefer("", name):
            victims[""].append(name)
        elif name in candidates[""] or not partly:
            together = settings[:_NAMED] if prefer("*", name) else []
            places = [place for place in settings if prefer(place, name)] or together
            victims[", ".join(places) or "a setting of apt that was not found"].append(name)
    for where, names in victims.items():
        words = ", ".join(f"{name} {missed[name]}" for name in names[:_NAMED])
        words += f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        if where:
            text = f"hidden by {where}, so not installed although a security archive has it: {words}"
            do = f"take that out at the host (see apt-cache policy {names[0]}); a package that must stay as it is goes "
            do += "into `hold` in jobs.toml, and its updates are told"
            yield Trouble(what="hidden", text=one_line(text), do=do)
        elif not partly:
            text = f"kept back by apt without a reason, although a security archive has it: {words}"
            yield Trouble(what="unknown", text=one_line(text), do=f"at the host: apt-get -s install {names[0]}")
