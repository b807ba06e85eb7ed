#!/usr/bin/env bash
# Installs DraggonnB CRMM from this checkout. Safe to repeat: what is there stays, what is missing is made.
#
#   sudo deploy/install.sh           the machine: user, Postgres role, units, everything started
#   deploy/install.sh --prefix DIR   a folder, as any user; no units, nothing started
#
# Needs python3, and for the machine: apt install postgresql caddy. Asks the network for nothing but uv and packages.
set -euo pipefail
# shellcheck source=deploy/release.sh
. "$(dirname "${BASH_SOURCE[0]}")/release.sh"

case "${1:-}" in
'') place ;;
--prefix) place "${2:?--prefix needs a folder}" ;;
*) die "unknown option $1" "$0 [--prefix DIR]" ;;
esac

make_user() {
    id -u draggonnb >/dev/null 2>&1 || useradd --system --user-group --home-dir "$STATE" --shell /usr/sbin/nologin draggonnb
    install -d -m 0755 "$PREFIX" "$PREFIX/releases"
    install -d -m 0750 -o root -g draggonnb "$CONFIG"
    install -d -m 0700 -o draggonnb -g draggonnb "$STATE"
}

# The settings of this machine, once; a key that is there is never replaced.
write_settings() {
    local file=$CONFIG/draggonnb.env key
    [ ! -e "$file" ] || return 0
    key=k1:$(head -c 32 /dev/urandom | base64 -w 0)
    (
        umask 077
        sed -e "s|^DRAGGONNB_MASTER_KEYS=.*|DRAGGONNB_MASTER_KEYS=$key|" \
            -e "s|^DRAGGONNB_STATE_DIR=.*|DRAGGONNB_STATE_DIR=$STATE|" \
            "$SOURCE/deploy/draggonnb.env.example" >"$file.part"
        [ -n "$IS_SYSTEM" ] || sed -i -e 's|^DRAGGONNB_MASTER_DSN=.*|DRAGGONNB_MASTER_DSN=|' "$file.part"
    )
    [ -z "$IS_SYSTEM" ] || { chown root:draggonnb "$file.part" && chmod 0640 "$file.part"; }
    mv "$file.part" "$file"
    say "wrote $file with a new master key: keep a copy of that key away from this machine"
}

# A role that logs in as the system's user of that name, and its database. Only on this machine's own Postgres.
make_database() {
    grep -q '^DRAGGONNB_MASTER_DSN=postgresql://draggonnb@/draggonnb?host=/var/run/postgresql$' "$CONFIG/draggonnb.env" || return 0
    command -v psql >/dev/null || die "there is no Postgres" "apt install postgresql, or set DRAGGONNB_MASTER_DSN in $CONFIG/draggonnb.env"
    local as_postgres=(runuser -u postgres --)
    [ "$("${as_postgres[@]}" psql -XAtc "select 1 from pg_roles where rolname = 'draggonnb'" postgres)" = 1 ] ||
        "${as_postgres[@]}" createuser --createdb --createrole draggonnb
    [ "$("${as_postgres[@]}" psql -XAtc "select 1 from pg_database where datname = 'draggonnb'" postgres)" = 1 ] ||
        "${as_postgres[@]}" createdb --owner draggonnb draggonnb
}

install_units() {
    copy_units
    install -D -m 0644 "$SOURCE/deploy/journald.conf" /etc/systemd/journald.conf.d/draggonnb.conf
    install -D -m 0644 "$SOURCE/deploy/tmpfiles.conf" /etc/tmpfiles.d/draggonnb.conf
    ln -sfn "$PREFIX/current/deploy/draggonnb" /usr/local/bin/draggonnb
}

# Only over Debian's own example or an earlier one of ours.
install_caddyfile() {
    local file=/etc/caddy/Caddyfile
    [ -d /etc/caddy ] || { say "no Caddy: apt install caddy, then repeat this" && return 0; }
    [ -e "$CONFIG/caddy.env" ] || install -m 0640 -o root -g root "$SOURCE/deploy/caddy.env.example" "$CONFIG/caddy.env"
    if [ ! -e "$file" ] || grep -qE '^# (DraggonnB CRMM|The Caddyfile is an easy way)' "$file"; then
        install -m 0644 "$SOURCE/deploy/Caddyfile" "$file"
        say "wrote $file; put your host names into $CONFIG/caddy.env, then: systemctl restart caddy"
    else
        say "$file is yours and stays; take over what is in $SOURCE/deploy/Caddyfile"
    fi
}

if [ -n "$IS_SYSTEM" ]; then
    make_user
else
    mkdir -p "$PREFIX/releases" "$CONFIG" "$STATE"
fi
hold_lock
id=$(release_id)
before=$(current_release)
if [ -n "$before" ] && [ "$before" != "$id" ]; then
    die "release $before is installed" "deploy/upgrade.sh brings $id"
fi
write_settings
make_release "$id"
if [ -z "$IS_SYSTEM" ]; then
    switch_to "$id"
    say "release $id is in $PREFIX/current"
    say "next: DRAGGONNB_MASTER_DSN in $CONFIG/draggonnb.env; current/.venv/bin/draggonnb migrate; draggonnb serve ..."
    exit 0
fi
make_database
check_release "$id"
verb "$id" migrate
switch_to "$id"
install_units
install_caddyfile
"$SYSTEMCTL" restart systemd-journald
"$SYSTEMCTL" start draggonnb.target draggonnb-{code,daemon,worker,web,view,sandbox,api}.service
say "release $id runs; check it: draggonnb doctor"
