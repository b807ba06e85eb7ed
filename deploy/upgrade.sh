#!/usr/bin/env bash
# Brings this checkout's release to an installation that runs, and back by itself if it does not come up.
#
#   sudo deploy/upgrade.sh [--wait SECONDS]          the machine
#   deploy/upgrade.sh --prefix DIR [--wait SECONDS]  a folder; SYSTEMCTL names what starts and stops its processes
#
# 1. the new release beside the old, checked  2. the daemon stops, runs end (300 s at most)  3. the databases are
# migrated, while the old API goes on: additions come a release before removals  4. the link changes, processes start
# again one by one; webhooks wait in systemd's socket meanwhile  5. the daemon goes on.
# Repeated after it was cut off, it begins again, or starts what should run. The watch goes on all the while: were this
# killed, nobody else would say that the daemon is away.
set -euo pipefail
# shellcheck source=deploy/release.sh
. "$(dirname "${BASH_SOURCE[0]}")/release.sh"

prefix=() wait_seconds=300
while [ $# -gt 0 ]; do
    case "$1" in
    --prefix) prefix=("${2:?--prefix needs a folder}") && shift 2 ;;
    --wait) wait_seconds=${2:?--wait needs seconds} && shift 2 ;;
    *) die "unknown option $1" "$0 [--prefix DIR] [--wait SECONDS]" ;;
    esac
done
place ${prefix[@]+"${prefix[@]}"}
hold_lock
before=$(current_release)
[ -n "$before" ] || die "nothing is installed in $PREFIX" "deploy/install.sh"
id=$(release_id)

# restart_all SECONDS: one by one, each waited for: first the API (that long), for which webhooks wait, then what runs
# need, at last what starts them.
restart_all() {
    local seconds=$1 url socket=$STATE/dagster/code.sock
    [ -z "$IS_SYSTEM" ] || copy_units || return 1
    "$SYSTEMCTL" restart draggonnb-api.service || return 1
    url=$(setting 'f"http://{settings.api_host}:{settings.api_port}/api/health"') || return 1
    wait_until "$seconds" "the API answers" answers "$url" || return 1
    "$SYSTEMCTL" restart draggonnb-code.service || return 1
    wait_until 60 "the code server answers" \
        as_service "$PREFIX/current/.venv/bin/dagster" api grpc-health-check --socket "$socket" || return 1
    "$SYSTEMCTL" try-restart draggonnb-{worker,web,view,sandbox}.service || return 1
    "$SYSTEMCTL" start draggonnb-daemon.service draggonnb-watch.timer
}

# wait_until SECONDS WHAT COMMAND...
wait_until() {
    local seconds=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { say "not within $seconds s: $what" && return 1; }
        sleep 0.5
    done
    say "$what"
}

answers() {
    python3 -c 'import sys, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=5)' "$1"
}

# Not cut off itself, and not by a terminal that is gone.
go_back() {
    trap '' INT TERM HUP
    say "going back to release $before"
    switch_to "$before"
    restart_all 120 || die "release $before does not come up either" "journalctl -u 'draggonnb-*'"
    die "release $id was not put into service; $before runs again, and no webhook was lost" "journalctl -u 'draggonnb-*'"
}

# Each step says whether it went well: this runs where `set -e` does not count.
go_on() {
    "$SYSTEMCTL" stop draggonnb-daemon.service || return 1
    verb "$before" drain --seconds "$wait_seconds" || say "runs are left: children of the code server end with release $before, those of a worker have 300 s more"
    verb "$id" migrate || return 1
    switch_to "$id" || return 1
    # Caddy waits a minute for an answer: half of it for this release, and the rest for the old one if this one is dumb.
    restart_all 30
}

if [ "$before" = "$id" ]; then
    say "release $id is in place already: starting what should run"
    restart_all 120 || die "release $id does not come up" "journalctl -u 'draggonnb-*'"
    say "release $id runs"
    exit 0
fi
make_release "$id"
check_release "$id"
say "from release $before to $id"
trap go_back INT TERM HUP
trap '' PIPE # who reads what is said here may go away
go_on || go_back
trap - INT TERM HUP
remove_old_releases "$before"
say "release $id runs"
