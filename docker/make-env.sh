#!/bin/sh
# Write the secrets and settings of docker-compose.yaml: sh docker/make-env.sh [file], .env by default.
# An existing file is kept: it holds the only copy of the Fernet key that the database was written with.
set -eu

file=${1:-.env}
if [ -e "$file" ]; then
    echo "$file exists and is kept; remove it (and the volumes: docker compose down --volumes) to start again without it"
    exit 0
fi

# Letters and digits only: nothing that a URL or a command line would have to quote.
secret() { head -c 96 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | cut -c 1-"$1"; }

umask 077
cat > "$file" <<EOF
COMPOSE_PROJECT_NAME=imagebuilder

# Secrets, made on $(date -u +%Y-%m-%d).
ADMIN_PASSWORD=$(secret 16)
POSTGRES_PASSWORD=$(secret 43)
REDIS_PASSWORD=$(secret 43)
AIRFLOW_FERNET_KEY=$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')
AIRFLOW_JWT_SECRET=$(secret 64)
AIRFLOW_API_SECRET_KEY=$(secret 64)

# Settings; the defaults are in docker-compose.yaml.
#AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12
#AIRFLOW_PORT=8080
#IMAGE_BUILDER_PORT=5005
#IMAGE_BUILDER_SPEED=60
#WORKERS=2
#WORKER_CONCURRENCY=4
#AWS_REGION=us-east-1
EOF
echo "$file written, readable by you alone. User admin, password $(sed -n 's/^ADMIN_PASSWORD=//p' "$file")"
