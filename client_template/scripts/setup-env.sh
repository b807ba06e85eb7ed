#!/bin/sh
# Make .env.local for work on this machine. With the Vercel CLI logged in and linked, from the client's own project:
#
#   scripts/setup-env.sh            the example, to fill in by hand
#   scripts/setup-env.sh --vercel   the variables of the project's development environment
#
# An .env.local that is there already is never overwritten.
set -eu
cd "$(dirname "$0")/.."

if [ -e .env.local ]; then
    echo ".env.local is there already; remove it first to make a new one." >&2
    exit 1
fi

umask 077 # it holds secrets
case "${1:-}" in
"")
    cp .env.example .env.local
    echo "Wrote .env.local. Fill in the values; the README says where they come from."
    ;;
--vercel)
    vercel env pull .env.local
    ;;
*)
    echo "usage: scripts/setup-env.sh [--vercel]" >&2
    exit 2
    ;;
esac
