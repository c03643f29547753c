#!/bin/sh
# Makes the secrets of compose.yaml, once: random, in platform/deploy/secrets/, which only you can read and git ignores.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
if [ -e "$folder" ]; then
  echo "$folder is there already: remove it to make new ones, and with it the volumes that have the old ones" >&2
  exit 1
fi

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

mkdir -p "$folder"
database=$(random)
key=$(random)
secret=$(random)
printf '%s' "$database" > "$folder/postgres_password"
metrics=$(random)
printf '%s' "$(random)" > "$folder/grafana_password"
printf '%s' "$metrics" > "$folder/metrics_key"
cat > "$folder/lastmile.env" << END
LASTMILE_DATABASE_URL=postgresql://lastmile:$database@postgres:5432/lastmile
LASTMILE_SECRET=$(random)
LASTMILE_METRICS_KEY=$metrics
AWS_ACCESS_KEY_ID=$key
AWS_SECRET_ACCESS_KEY=$secret
END
cat > "$folder/objects.env" << END
MINIO_ROOT_USER=$key
MINIO_ROOT_PASSWORD=$secret
END
# Grafana and Prometheus read theirs as users of their own; the server of Postgres does so as root.
chmod 755 "$folder"
chmod 644 "$folder/grafana_password" "$folder/metrics_key"
