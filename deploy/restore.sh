#!/usr/bin/env bash
# Puts a backup back: deploy/restore.sh FOLDER/esus-TIME. What is there now is replaced; the archive is kept beside it.
# The pipeline must be stopped: docker compose stop code daemon webserver operator (or systemctl stop esus.target).
# Ends with a comparison of all counts; exit status 1 where one differs.
#
# On a host without containers: ESUS_RUN=deploy/on-host.sh deploy/restore.sh FOLDER/esus-TIME
set -euo pipefail
backup=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
. deploy/services.sh
umask 077

(cd "$backup" && sha256sum --quiet -c SHA256SUMS) || { echo "restore: $backup is damaged" >&2; exit 1; }

echo "restore: PostgreSQL"
run postgres dropdb -U "$postgres_user" --if-exists --force dagster
run postgres createdb -U "$postgres_user" --owner "$postgres_owner" dagster
run postgres pg_restore -U "$postgres_user" --no-owner --role "$postgres_owner" --exit-on-error -d dagster <"$backup/dagster.dump"

echo "restore: InfluxDB"
influx_restore <"$backup/influxdb.tar"

echo "restore: the archive"
run_once code sh -ec '
  cd /var/lib/esus
  if [ -n "$(ls -A archive 2>/dev/null)" ]; then mv archive "archive.before-$(date -u +%Y%m%dT%H%M%SZ)"; fi
  exec tar -xf -' <"$backup/archive.tar"

if counts | diff "$backup/counts" -; then
  echo "restore: all $(wc -l <"$backup/counts") counts are as they were; start the pipeline again"
else
  echo "restore: these counts differ (< backup, > now)" >&2
  exit 1
fi
