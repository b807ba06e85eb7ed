#!/usr/bin/env bash
# Brings this checkout's release to an installation that runs, and back by itself if it does not come up.
#
#   sudo deploy/upgrade.sh [--wait SECONDS]          the machine
#   deploy/upgrade.sh --prefix DIR [--wait SECONDS]  a folder; SYSTEMCTL names what starts and stops its processes
#
# 1. the new release beside the old, checked  2. the daemon stops, runs end (300 s at most)  3. the databases are
# migrated, while the old API goes on: additions come a release before removals  4. the link changes, processes start
# again one by one; webhooks wait in systemd's socket meanwhile  5. the daemon goes on.
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
[ "$before" != "$id" ] || { say "release $id runs already" && exit 0; }

settings() {
    (cd "$PREFIX/current" && as_service .venv/bin/python -c "
from draggonnb_pipelines.settings import load_settings
settings = load_settings()
print($1)")
}

# One by one, each waited for: first what runs need, at last what starts them.
restart_all() {
    local url socket=$STATE/dagster/code.sock
    [ -z "$IS_SYSTEM" ] || copy_units || return 1
    "$SYSTEMCTL" restart draggonnb-code.service || return 1
    wait_until "the code server answers" \
        as_service "$PREFIX/current/.venv/bin/dagster" api grpc-health-check --socket "$socket" || return 1
    "$SYSTEMCTL" try-restart draggonnb-web.service draggonnb-view.service draggonnb-sandbox.service || return 1
    "$SYSTEMCTL" restart draggonnb-api.service || return 1
    url=$(settings 'f"http://{settings.api_host}:{settings.api_port}/api/health"') || return 1
    wait_until "the API answers" answers "$url" || return 1
    "$SYSTEMCTL" start draggonnb-daemon.service draggonnb-watch.timer
}

# wait_until WHAT COMMAND...: a minute at most.
wait_until() {
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { say "not after a minute: $what" && return 1; }
        sleep 0.5
    done
    say "$what"
}

answers() {
    python3 -c 'import sys, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(sys.argv[1], timeout=5)' "$1"
}

go_back() {
    trap - INT TERM
    say "going back to release $before"
    switch_to "$before"
    restart_all || die "release $before does not come up either" "journalctl -u 'draggonnb-*'"
    die "release $id was not put into service; $before runs again, and no webhook was lost" "journalctl -u 'draggonnb-*'"
}

# Each step says whether it went well: this runs where `set -e` does not count.
go_on() {
    "$SYSTEMCTL" stop draggonnb-watch.timer draggonnb-daemon.service || return 1
    verb "$before" drain --seconds "$wait_seconds" || say "the runs that are left end with release $before"
    verb "$id" migrate || return 1
    switch_to "$id" || return 1
    restart_all
}

make_release "$id"
check_release "$id"
say "from release $before to $id"
trap go_back INT TERM
go_on || go_back
trap - INT TERM
remove_old_releases
say "release $id runs"
