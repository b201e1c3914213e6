#!/usr/bin/env bash
# Pulls the images of docker-compose.yml and writes their digests to docker-compose.override.yml, which Compose reads
# too: from then on a tag that somebody moves changes nothing. Run it at the first installation and at each upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."
digest() { docker pull --quiet "$1" >/dev/null && docker image inspect --format '{{index .RepoDigests 0}}' "$1"; }
image_of() { sed -n "/^  $1:/,/image:/s/^    image: //p" docker-compose.yml; }
python=$(sed -n 's/^ARG PYTHON=//p' deploy/Dockerfile)
{
  echo "# Written by deploy/pin-images.sh on $(date -u +%F); run it again to move on."
  echo "services:"
  for service in nginx grafana influxdb postgres; do
    echo "  $service: {image: \"$(digest "$(image_of "$service")")\"}"
  done
  for service in influx-init code daemon webserver operator simulator; do
    echo "  $service: {build: {args: {PYTHON: \"$(digest "$python")\"}}}"
  done
} >docker-compose.override.yml.new
mv docker-compose.override.yml.new docker-compose.override.yml
