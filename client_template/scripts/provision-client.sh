#!/bin/sh
# Set up the database that this app runs on. For a client of DraggonnB nothing has to be done here: its ten steps run by
# themselves once the subscription is paid. This is for a database of one's own, such as one to develop on.
#
#   scripts/provision-client.sh local           a local stack of the Supabase CLI (needs Docker): migrations and seed
#   scripts/provision-client.sh linked <ref>    an empty Supabase project: the same (needs `supabase login`)
#   scripts/provision-client.sh draggonnb <slug> --name <name> --owner-email <address>
#                                               an organization at DraggonnB with a database, by its own command line
set -eu
cd "$(dirname "$0")/.."

usage() {
    echo "usage: scripts/provision-client.sh local | linked <ref> | draggonnb <slug> --name <name> --owner-email <address>" >&2
    exit 2
}

[ $# -ge 1 ] || usage
target=$1
shift
case "$target" in
local)
    [ -e supabase/config.toml ] || supabase init
    supabase start
    supabase db reset --local
    ;;
linked)
    [ $# -eq 1 ] || usage
    [ -e supabase/config.toml ] || supabase init
    supabase link --project-ref "$1"
    supabase db push --linked --include-seed
    ;;
draggonnb)
    [ $# -ge 1 ] || usage
    draggonnb tenant create "$@"
    ;;
*)
    usage
    ;;
esac
