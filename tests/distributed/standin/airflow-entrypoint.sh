#!/bin/bash
# The part of the official image's entry point that docker-compose.yaml uses: bash and python are run as they
# are, everything else is a command of airflow; CONNECTION_CHECK_MAX_COUNT=0 leaves the database check out.
set -euo pipefail
umask 0002

tries=${CONNECTION_CHECK_MAX_COUNT:-20}
until [ "$tries" = 0 ] || airflow db check; do
    tries=$((tries - 1))
    sleep 3
done
case "${1:-}" in
    bash | python) exec "$@" ;;
    airflow) shift ;;
esac
exec airflow "$@"
