#!/usr/bin/env bash
# Backs up the running system: deploy/backup.sh FOLDER makes FOLDER/esus-TIME and keeps the newest $ESUS_KEEP (14).
#
# PostgreSQL (what was done), InfluxDB and the archive (what was measured and planned) have to fit together: what is
# counted before must be counted after, otherwise a run was under way and the copy is made anew.
#
# On a host without containers: ESUS_RUN=deploy/on-host.sh deploy/backup.sh FOLDER
set -euo pipefail
target=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
. deploy/services.sh
umask 077
keep=${ESUS_KEEP:-14}
attempts=5 pause=60
name=esus-$(date -u +%Y%m%dT%H%M%SZ)
new=$target/.$name.partial
trap 'rm -rf "$new"' EXIT

for attempt in $(seq $attempts); do
  rm -rf "$new"
  mkdir "$new"
  counts >"$new/counts"
  run postgres pg_dump -U "$postgres_user" --format=custom dagster >"$new/dagster.dump"
  influx_backup >"$new/influxdb.tar"
  run code tar -C /var/lib/esus -cf - archive plan >"$new/archive.tar"
  if counts | diff -q "$new/counts" - >/dev/null; then
    (cd "$new" && sha256sum counts dagster.dump influxdb.tar archive.tar >SHA256SUMS)
    mv "$new" "$target/$name"
    find "$target" -maxdepth 1 -name 'esus-*Z' | sort | head -n "-$keep" | xargs -r rm -rf
    echo "$target/$name"
    exit 0
  fi
  echo "backup: a run was under way; attempt $attempt of $attempts is repeated" >&2
  sleep $pause
done
echo "backup: never quiet in $attempts attempts; is a long backfill running?" >&2
exit 1
