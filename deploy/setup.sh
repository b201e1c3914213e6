#!/usr/bin/env bash
# Makes the secrets and the certificate that docker-compose.yml names, in secrets/ (or $ESUS_SECRETS_DIR). Run as root.
# Run it again at any time: what exists is kept, what is missing is made.
#
# Each file belongs to the user of the one container that reads it and is closed to everybody else; the folder is
# root's. That is how file secrets work without swarm: the container sees the file with its owner and mode on the host.
set -euo pipefail
cd "$(dirname "$0")/.."
secrets=${ESUS_SECRETS_DIR:-secrets}

nginx=101 postgres=999 grafana=472 influxdb=1000 esus=10001  # the users in docker-compose.yml

die() { echo "setup: $*" >&2; exit 1; }
say() { echo "setup: $*"; }
random() { openssl rand -base64 24 | tr '+/' '-_'; }
setting() { if [ -f .env ]; then sed -n "s/^$1=//p" .env | tail -n 1; fi; }

# put NAME USER [optional]: standard input becomes the secret, unless there is one; an optional one may be empty.
put() {
  local file=$secrets/$1
  [ -s "$file" ] && { cat >/dev/null; return 0; }
  (umask 077 && cat >"$file.new")
  [ -s "$file.new" ] || [ "${3:-}" = optional ] || { rm -f "$file.new"; die "nothing to write to $file"; }
  chown "$2:$2" "$file.new"
  chmod 0400 "$file.new"
  mv "$file.new" "$file"
}

[ "$(id -u)" = 0 ] || die "run it as root: secrets belong to the users of the containers"
command -v openssl >/dev/null || die "openssl is missing: apt-get install openssl"
install -d -m 0700 "$secrets"

if [ ! -s "$secrets/bms_password" ]; then
  password=${ESUS_BMS_PASSWORD:-$(setting ESUS_BMS_PASSWORD)}
  [ -n "$password" ] || { [ -t 0 ] && read -rsp "Password of the building's API: " password && echo; }
  [ -n "$password" ] || die "set ESUS_BMS_PASSWORD in .env or in the environment for this one call (the demo takes any)"
  printf '%s' "$password" | put bms_password $esus
  [ -z "$(setting ESUS_BMS_PASSWORD)" ] || say "ESUS_BMS_PASSWORD is in $secrets/bms_password now; delete it from .env"
fi

setting ESUS_ALERT_SMTP_PASSWORD | tr -d '\n' | put alert_smtp_password $esus optional
setting ESUS_ALERT_WEBHOOK_URL | tr -d '\n' | put alert_webhook_url $esus optional
setting ESUS_HEARTBEAT_URL | tr -d '\n' | put heartbeat_url $esus optional
for name in ESUS_ALERT_SMTP_PASSWORD ESUS_ALERT_WEBHOOK_URL ESUS_HEARTBEAT_URL; do
  [ -z "$(setting $name)" ] || say "$name is in $secrets now; delete it from .env"
done

random | put postgres_password $postgres
printf '*:*:dagster:dagster:%s\n' "$(cat "$secrets/postgres_password")" | put pgpass $esus
random | put influxdb_admin_password $influxdb
random | put influxdb_admin_token $influxdb
put influxdb_operator_token $esus <"$secrets/influxdb_admin_token"
random | put grafana_admin_password $grafana
random | put grafana_secret_key $grafana

if [ ! -s "$secrets/users" ]; then
  password=$(random)
  printf 'esus:%s\n' "$(printf '%s' "$password" | openssl passwd -6 -stdin)" | put users $nginx
  say "name and password for /dagster/ and /plan/, shown this once: esus $password"
fi

if [ ! -s "$secrets/tls_certificate" ]; then
  host=${ESUS_HOSTNAME:-$(setting ESUS_HOSTNAME)}
  host=${host:-localhost}
  (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 397 -subj "/CN=$host" \
    -addext "subjectAltName=DNS:$host" -keyout "$secrets/.key" -out "$secrets/.certificate" 2>/dev/null) ||
    die "openssl could not make a certificate for $host"
  put tls_certificate $nginx <"$secrets/.certificate"
  put tls_key $nginx <"$secrets/.key"
  rm -f "$secrets/.certificate" "$secrets/.key"
  say "a certificate for $host that no browser trusts; replace $secrets/tls_certificate and tls_key by real ones"
fi
say "all secrets are in $secrets; the administrator of Grafana is admin with $secrets/grafana_admin_password"
