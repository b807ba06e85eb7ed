# shellcheck shell=bash
# What install.sh and upgrade.sh share: where things are, and how a release is made. Sourced, never run.
#
# PREFIX/releases/<id>   the code and its own .venv, written once and never changed
# PREFIX/current         a link to the release that runs
# CONFIG                 draggonnb.env, to which every release's .env is a link
# STATE                  all that is written while it runs

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly SOURCE
readonly RELEASED=(
    draggonnb_pipelines vendor_sandbox scripts deploy dagster.yaml workspace.yaml
    pyproject.toml uv.lock README.md LICENSE CHANGELOG.md .env.example
)
readonly KEPT_RELEASES=3
SYSTEMCTL=${SYSTEMCTL:-systemctl}

# Whether anybody still hears it decides about nothing.
say() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" || true; }

die() {
    printf 'error: %s\n' "$1" >&2 || true
    [ $# -lt 2 ] || printf '  -> %s\n' "$2" >&2 || true
    exit 1
}

# place [PREFIX]: sets PREFIX, CONFIG, STATE and IS_SYSTEM. Without an argument it is the machine's own, for root.
place() {
    if [ $# -eq 0 ]; then
        [ "$(id -u)" -eq 0 ] || die "this installs for the whole machine" "sudo, or --prefix DIR for a folder of yours"
        IS_SYSTEM=yes PREFIX=/opt/draggonnb CONFIG=/etc/draggonnb STATE=/var/lib/draggonnb
    else
        mkdir -p "$1"
        PREFIX=$(cd "$1" && pwd)
        IS_SYSTEM='' CONFIG=$PREFIX/etc STATE=$PREFIX/state
    fi
    # shellcheck disable=SC2034 # the scripts that source this use STATE
    readonly IS_SYSTEM PREFIX CONFIG STATE
}

# Only one installation or upgrade at a time; the lock ends with the process.
hold_lock() {
    exec 9>"$PREFIX/.lock"
    flock --nonblock 9 || die "another installation or upgrade is under way in $PREFIX"
}

as_service() {
    if [ -n "$IS_SYSTEM" ]; then
        runuser -u draggonnb -- "$@"
    else
        "$@"
    fi
}

# The code as a stream that depends on nothing but the code.
pack() {
    local there=()
    for name in "${RELEASED[@]}"; do
        [ ! -e "$SOURCE/$name" ] || there+=("$name")
    done
    tar --create --directory "$SOURCE" --exclude='__pycache__' --exclude='*.pyc' --exclude='.env' \
        --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' "${there[@]}"
}

release_id() {
    local version
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/pyproject.toml" | head -n 1)
    printf '%s-%s\n' "${version:?pyproject.toml names no version}" "$(pack | sha256sum | cut -c 1-12)"
}

# make_release ID: code and environment beside those that run. A broken one is taken up where it stopped.
make_release() {
    local release=$PREFIX/releases/$1
    if [ -e "$release/.complete" ]; then
        say "release $1 is there"
        return
    fi
    say "making release $1"
    mkdir -p "$release"
    pack | tar --extract --directory "$release"
    ln -sfn "$CONFIG/draggonnb.env" "$release/.env"
    (
        umask 022
        # Python itself and the downloads lie where the service's user may read them; never in root's home.
        export UV_PYTHON_INSTALL_DIR=$PREFIX/python UV_CACHE_DIR=${UV_CACHE_DIR:-$PREFIX/cache}
        PATH=$(uv_path):$PATH python3 "$release/scripts/bootstrap.py" run
        "$release/.venv/bin/python" -m compileall -q "$release/draggonnb_pipelines" "$release/vendor_sandbox"
    )
    touch "$release/.complete"
}

# The uv that the source or an earlier release has fetched, if any.
uv_path() {
    local found
    found=$(find "$SOURCE/.tools" "$PREFIX/releases" -maxdepth 4 -path '*/.tools/uv-*/uv' 2>/dev/null | head -n 1) || true
    dirname "${found:-/nonexistent/uv}"
}

# check_release ID: it loads with the settings of this machine. Nothing is started and nothing is changed.
check_release() {
    local release=$PREFIX/releases/$1
    (
        cd "$release"
        as_service .venv/bin/python -c 'from draggonnb_pipelines.settings import load_settings as s; s().keys; s().dsn'
        as_service .venv/bin/python -c 'import draggonnb_pipelines.definitions'
    ) || die "release $1 does not load; what runs was not touched" "read what is above; $CONFIG/draggonnb.env may be wrong"
}

# switch_to ID: the link changes in one step, so that there is always one.
switch_to() {
    ln -sfn "releases/$1" "$PREFIX/.current.new"
    mv --no-target-directory "$PREFIX/.current.new" "$PREFIX/current"
}

current_release() {
    [ ! -L "$PREFIX/current" ] || basename "$(readlink "$PREFIX/current")"
}

verb() { (cd "$PREFIX/releases/$1" && as_service .venv/bin/draggonnb "${@:2}"); }

# setting EXPRESSION: of `settings`, those of the release that is in place.
setting() {
    (cd "$PREFIX/current" && as_service .venv/bin/python -c "
from draggonnb_pipelines.settings import load_settings
settings = load_settings()
print($1)")
}

# remove_old_releases BEFORE: all but the last few, the one that runs and BEFORE, of which runs may still be. A folder's
# time is no proof: whoever goes back to an old release makes no new folder.
remove_old_releases() {
    local before=$1 id
    find "$PREFIX/releases" -mindepth 1 -maxdepth 1 -printf '%T@ %f\n' | sort -rn | tail -n "+$((KEPT_RELEASES + 1))" |
        while read -r _ id; do
            case "$id" in "$(current_release)" | "$before") continue ;; esac
            say "removing release $id"
            rm -rf "${PREFIX:?}/releases/$id"
        done
}

# The units of the release that is in place; enabled each time, since a release may bring new ones.
copy_units() {
    cp -r "$PREFIX/current/deploy/systemd/." /etc/systemd/system/ || return 1
    allow_backups || return 1
    "$SYSTEMCTL" daemon-reload || return 1
    "$SYSTEMCTL" enable --quiet draggonnb.target draggonnb-api.socket draggonnb-watch.timer \
        draggonnb-{api,code,daemon,worker,web,view,sandbox}.service
}

# Services see the file system read-only but for their state: runs may write to DRAGGONNB_BACKUP_DIR too, if it is set.
allow_backups() {
    local folder unit file
    folder=$(setting 'settings.backup_dir.absolute() if settings.backup_dir else ""') || return 1
    if [ -n "$folder" ] && [ ! -d "$folder" ]; then
        install -d -m 0700 -o draggonnb -g draggonnb "$folder" || return 1
    fi
    for unit in draggonnb-code draggonnb-worker; do
        file=/etc/systemd/system/$unit.service.d/backups.conf
        rm -f "$file"
        [ -n "$folder" ] || continue
        mkdir -p "$(dirname "$file")" || return 1
        backup_drop_in "$folder" >"$file" || return 1
    done
}

# With a minus, so that a disk that is not mounted costs the backups and not everything.
backup_drop_in() { printf '[Service]\nReadWritePaths="-%s"\n' "${1//%/%%}"; }
