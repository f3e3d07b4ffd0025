#!/bin/bash
# Make the database on the first start, as the official image does: over the socket alone until it is made.
set -euo pipefail

if [ "$(id -u)" = 0 ]; then
    exec gosu postgres "$0" "$@"
fi
user=${POSTGRES_USER:-postgres}
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$user" --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-host=scram-sha-256 --auth-local=trust
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    createdb --username="$user" "${POSTGRES_DB:-$user}" || true
    pg_ctl --wait --mode=fast stop
fi
if [ "$1" = postgres ]; then
    set -- "$@" -c "listen_addresses=*"
fi
exec "$@"
