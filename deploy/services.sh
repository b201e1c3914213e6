# For backup.sh and restore.sh: how a command is run as a service, and what is counted. Read by them, not run.
# shellcheck shell=bash

postgres_user=${ESUS_POSTGRES_USER:-dagster}
# shellcheck disable=SC2034  # for restore.sh
postgres_owner=${ESUS_POSTGRES_OWNER:-dagster}

# run SERVICE WORDS…: in the running service. run_once: also where the service is stopped.
run() { ${ESUS_RUN:-docker compose exec -T} "$@"; }
run_once() { ${ESUS_RUN:-docker compose run --rm -T --no-deps} "$@"; }

# One line NAME COUNT for each table of Dagster, each table of the archive and each measurement.
counts() {
  run postgres psql -U "$postgres_user" -d dagster -v ON_ERROR_STOP=1 -AtF ' ' -c "
    select 'postgres.runs', count(*) from runs
    union all select 'postgres.event_logs', count(*) from event_logs
    union all select 'postgres.asset_keys', count(*) from asset_keys
    union all select 'postgres.materializations', count(*) from event_logs
      where dagster_event_type = 'ASSET_MATERIALIZATION'
    order by 1"
  run_once code esus counts | sed 's/^/archive./'
  # InfluxQL over HTTP, as CSV: name,tags,time and one count for each field
  run influxdb sh -ec '
    curl -fsS -H "Authorization: Token $(cat "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE")" -H "Accept: application/csv" \
      -G --data-urlencode "db=$DOCKER_INFLUXDB_INIT_BUCKET" --data-urlencode "q=SELECT COUNT(*) FROM /.*/" \
      http://127.0.0.1:8086/query' |
    awk -F, '/^name,/ { next } NF > 3 { n = 0; for (i = 4; i <= NF; i++) n += $i; print "influxdb." $1, n }' | sort
}

influx_backup() {
  run influxdb sh -ec '
    folder=/var/lib/influxdb2/backup
    rm -rf "$folder"; mkdir "$folder"
    INFLUX_TOKEN=$(cat "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE") influx backup "$folder" >&2
    tar -C "$folder" -cf - .
    rm -rf "$folder"'
}

influx_restore() {
  run influxdb sh -ec '
    folder=/var/lib/influxdb2/backup
    rm -rf "$folder"; mkdir "$folder"
    tar -C "$folder" -xf -
    INFLUX_TOKEN=$(cat "$DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE") influx restore --full "$folder" >&2
    rm -rf "$folder"'
}
