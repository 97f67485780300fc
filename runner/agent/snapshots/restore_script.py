"""`restore.sh`, which lies on the disk: getting things back with a POSIX shell and rsync, nothing else."""

# dash, bash and busybox sh read it; `[ A -ef B ]` is not POSIX, and all three have it. A trailing `x` keeps
# line feeds at the end of a folder's name, which $(...) would drop.
TEXT = r"""#!/bin/sh
# Get files back from this disk. It needs a shell and rsync, and nothing else. README.txt says more.
#
#   sh restore.sh list                          the snapshots there are
#   sh restore.sh SNAPSHOT /path /target        one folder's content, or one file, into the folder /target
#   sh restore.sh SNAPSHOT / /mnt/newroot       a whole computer
#
# SNAPSHOT is a name from the list, or `latest`. /path is as it was on the computer that was copied.
# The disk is only read. What is in /target already and has another name stays.
set -u
LC_ALL=C
export LC_ALL

stop() {
    echo "restore.sh: $1" >&2
    exit 2
}

usage() {
    echo "usage: sh restore.sh list" >&2
    echo "       sh restore.sh SNAPSHOT /path /target" >&2
    exit 2
}

# In `found`: where the folder $1 really is.
really() {
    found=$(CDPATH='' cd -P -- "$1" 2>/dev/null && pwd -P && echo x) || return 1
    found=${found%x}
    found=${found%?}
}

is_name() {
    case $1 in
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z) return 0 ;;
    esac
    return 1
}

# In `host` and `exceptions`: what the record of snapshot $1 says. Only its own lines begin with one space.
read_record() {
    host='?' exceptions='?'
    [ -r "$store/.runner/records/$1.json" ] || return 1
    while IFS= read -r line; do
        case $line in
        ' "host": "'*) host=${line#' "host": "'} host=${host%%'"'*} ;;
        ' "exceptions": '*) exceptions=${line#' "exceptions": '} exceptions=${exceptions%%,*} ;;
        esac
    done <"$store/.runner/records/$1.json"
}

list() {
    none=yes
    for folder in "$store"/*; do
        name=${folder##*/}
        [ -d "$folder" ] && [ ! -h "$folder" ] && is_name "$name" || continue
        none=''
        if ! read_record "$name"; then
            echo "$name  without a record: it may not be whole"
        elif [ "$exceptions" = 0 ]; then
            echo "$name  of $host"
        else
            echo "$name  of $host; names that could not be copied: $exceptions (see .runner/records/$name.json)"
        fi
    done
    [ -z "$none" ] || stop "there is no snapshot in $store"
}

# In `from`: the place of path $2 in snapshot $1. A link on the way would lead out of the snapshot.
find_source() {
    from=$store/$1
    rest=$2/
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        rest=${rest#*/}
        case $part in
        '' | .) continue ;;
        ..) stop "say the path without .." ;;
        esac
        [ ! -h "$from" ] || stop "$from is a link; ask for the path that it leads to"
        from=$from/$part
        [ -e "$from" ] || [ -h "$from" ] || stop "there is no $2 in $1"
    done
}

# Nothing may ever be written where the snapshots are: many of them share one file.
refuse_store() {
    really "$1" || stop "$1 cannot be entered"
    up=$found
    while :; do
        [ "$up" -ef "$store" ] && stop "the target is in the store itself; choose a folder elsewhere"
        [ "$up" -ef / ] && break
        up=${up%/*}
        up=${up:-/}
    done
}

check_target() {
    case $1 in
    /*) ;;
    *) stop "say the target from the first /: $1" ;;
    esac
    case $1/ in
    */../*) stop "say the target without .." ;;
    esac
    near=$1
    while [ ! -d "$near" ]; do
        [ ! -e "$near" ] && [ ! -h "$near" ] || stop "$near is not a folder"
        near=${near%/*}
        near=${near:-/}
        case $near in */) near=${near%/} near=${near:-/} ;; esac
    done
    refuse_store "$near"
    [ -h "$from" ] || [ ! -d "$from" ] && return
    # Not below the target either: a folder of the snapshot may lie where the store is now.
    really "$near"
    [ "$near" = "${1%/}" ] || [ "$near" -ef "$1" ] || return
    up=$store
    while [ "$up" ]; do
        up=${up%/*}
        [ "${up:-/}" -ef "$found" ] && stop "the store itself lies below $1; choose a folder elsewhere"
    done
}

restore() {
    name=$1 path=$2 target=$3
    if [ "$name" = latest ]; then
        really "$store/latest" || stop "there is no latest in $store; see: sh restore.sh list"
        name=${found##*/}
    fi
    is_name "$name" && [ -d "$store/$name" ] && [ ! -h "$store/$name" ] ||
        stop "there is no snapshot $name; see: sh restore.sh list"
    case $path in
    /*) ;;
    *) stop "say the path from the first /: $path" ;;
    esac
    find_source "$name" "$path"
    check_target "$target"
    command -v rsync >/dev/null || stop "there is no rsync here; install it, or boot a system that has it"
    [ "$(id -u)" = 0 ] || echo "You are not root: owners will not be kept, and some files cannot be read." >&2
    read_record "$name" || echo "Snapshot $name has no record: it may not be whole." >&2
    if [ -d "$from" ] && [ ! -h "$from" ]; then
        echo "Copying what is in $path of $host, as in snapshot $name, into $target"
        from=$from/
    else
        echo "Copying $path of $host, as in snapshot $name, into $target"
    fi
    mkdir -p -- "$target" || exit 1
    rsync --archive --hard-links --acls --xattrs --sparse --numeric-ids --modify-window=-1 -- "$from" "${target%/}/"
    code=$?
    if [ "$code" = 0 ]; then
        echo "It is there, with its owners as numbers, times, links and attributes."
    else
        echo "NOT all of it is there: rsync ended with $code, see what it said above." >&2
    fi
    exit "$code"
}

case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
really "$here/.." || stop "the folder of this script cannot be entered"
store=$found
[ -d "$store/.runner/records" ] || stop "run it where it lies, in the folder .runner of the disk"
case $#:${1-} in
1:list) list ;;
3:*) restore "$1" "$2" "$3" ;;
*) usage ;;
esac
"""
