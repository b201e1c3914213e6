#!/usr/bin/env bash
# on-host.sh SERVICE WORDS…: what `docker compose exec SERVICE` is on a host with systemd units. For ESUS_RUN.
set -euo pipefail
service=$1
shift
case $service in
  postgres) exec runuser -u postgres -- "$@" ;;
  code) exec runuser -u esus -- env PATH="/opt/esus/bin:$PATH" DAGSTER_HOME=/etc/dagster ESUS_DATA_DIR=/var/lib/esus "$@" ;;
  influxdb)
    exec runuser -u influxdb -- env DOCKER_INFLUXDB_INIT_BUCKET="${INFLUXDB_BUCKET:-esus}" \
      DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE="${INFLUXDB_ADMIN_TOKEN_FILE:-/etc/influxdb/esus_admin_token}" "$@"
    ;;
  *) echo "on-host.sh: no service $service" >&2; exit 2 ;;
esac
