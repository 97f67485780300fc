# A journald, two sshds and a user karl of their own, in namespaces of their own; then people try to get in.
# usage: unshare --mount --pid --fork --mount-proc sh access_world.sh FOLDER PORT PROGRAM...; prints PROGRAM's answer
set -eu
W=$1 PORT=$2
shift 2
mount -t tmpfs tmpfs "$W"
mkdir "$W/dev" "$W/etc" "$W/home" "$W/dev/pts"
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "$W/dev/${node%:*}" c 1 "${node#*:}"
done
ln -s /proc/self/fd "$W/dev/fd"
ln -s /run/systemd/journal/dev-log "$W/dev/log"
mount -t devpts devpts "$W/dev/pts" -o newinstance,ptmxmode=666
ln -s pts/ptmx "$W/dev/ptmx"
cp /etc/passwd /etc/shadow "$W/etc/"
HASH=$(openssl passwd -6 secret)
echo "karl:x:4711:4711::$W/home:/bin/sh" >>"$W/etc/passwd"
echo "karl:$HASH:20000::::::" >>"$W/etc/shadow"
sed -i "s|^root:[^:]*:|root:$HASH:|" "$W/etc/shadow"
mount --bind "$W/etc/passwd" /etc/passwd
mount --bind "$W/etc/shadow" /etc/shadow
mount --bind "$W/dev" /dev
# Without an id journald keeps no journal; an image of a machine that never booted has an empty one.
tr -d - </proc/sys/kernel/random/uuid >"$W/etc/machine-id"
mount --bind "$W/etc/machine-id" /etc/machine-id
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal /run/log/journal /run/sshd
/lib/systemd/systemd-journald >/dev/null 2>&1 &
until [ -S /run/systemd/journal/dev-log ]; do sleep 0.1; done

ssh-keygen -q -t ed25519 -N '' -f "$W/host"
ssh-keygen -q -t ed25519 -N '' -f "$W/key"
# sshd reads it as karl, who may not look into the folder of the test.
cp "$W/key.pub" /run/key.pub
serve() { # serve PORT PERMIT: an sshd
    cat >"$W/conf$1" <<CONF
Port $1
ListenAddress 127.0.0.1
HostKey $W/host
UsePAM no
KbdInteractiveAuthentication no
PermitRootLogin $2
AuthorizedKeysFile /run/key.pub
StrictModes no
MaxAuthTries 3
PidFile none
CONF
    /usr/sbin/sshd -D -f "$W/conf$1" &
}
serve "$PORT" no
serve "$((PORT + 1))" yes
printf '#!/bin/sh\necho "$PASS"\n' >"$W/ask"
chmod +x "$W/ask"
export SSH_ASKPASS="$W/ask" SSH_ASKPASS_REQUIRE=force PASS
try() { # try PASSWORD SSH-ARGUMENT...
    PASS=$1
    shift
    ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o NumberOfPasswordPrompts=2 "$@" true \
        </dev/null >/dev/null 2>&1 || true
}
tries=0
until ssh-keyscan -p "$((PORT + 1))" 127.0.0.1 2>/dev/null | grep -q . || [ $((tries += 1)) -gt 50 ]; do sleep 0.1; done
try secret -p "$PORT" karl@127.0.0.1
try wrong -p "$PORT" karl@127.0.0.1
try wrong -p "$PORT" 'y from 6.6.6.6 port 22 ssh2@127.0.0.1'
try secret -i "$W/key" -p "$PORT" root@127.0.0.1
try secret -p "$((PORT + 1))" root@127.0.0.1
try secret -i "$W/key" -p "$PORT" karl@127.0.0.1
python3 - "$PORT" <<'PYTHON'
import socket, sys
here = ("127.0.0.1", int(sys.argv[1]))
with socket.create_connection(here) as probe:
    probe.sendall(b"GET / HTTP/1.0\r\n")
    while probe.recv(1024):
        pass
socket.create_connection(here).close()
PYTHON
su karl -c true
setpriv --reuid 4711 --clear-groups su -c true </dev/null >/dev/null 2>&1 || true
setpriv --reuid 4711 --clear-groups logger -t sshd -p auth.info 'Accepted password for root from 6.6.6.6 port 22 ssh2'
cp /usr/bin/logger /run/su
{ echo '(to root) mallory on pts/1'; sleep 1; } | setpriv --reuid 4711 --clear-groups /run/su -t su -p auth.info
printf 'Failed password for invalid user a\377b from 198.51.100.77 port 5 ssh2\n' | logger -t sshd -p auth.info
head -c 5000 /dev/zero | tr '\0' x | logger --size 8192 -t sshd -p auth.info
sleep 1.5
exec "$@"
