#!/bin/sh
# The three words of InfluxDB 2's `influx` that the deployment uses, carried out by the 1.6.7 that stands for it.
set -eu
administer() { curl -fsS -u "$STAND_IN_ADMIN" --data-urlencode "q=$1" "$STAND_IN_URL/query"; }
case $1 in
  ping) curl -fsS http://127.0.0.1:8086/ping ;;
  backup) influxd backup -portable -host "$STAND_IN_RPC" "$2" ;;
  restore)  # --full FOLDER: what is there is replaced
    administer "DROP DATABASE $DOCKER_INFLUXDB_INIT_BUCKET"
    influxd restore -portable -host "$STAND_IN_RPC" "$3"
    administer "GRANT READ ON $DOCKER_INFLUXDB_INIT_BUCKET TO reader; GRANT WRITE ON $DOCKER_INFLUXDB_INIT_BUCKET TO writer"
    ;;
  *) echo "influx: $1 is not one of them" >&2; exit 2 ;;
esac
