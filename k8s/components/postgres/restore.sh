#!/bin/sh
# Puts one database back to a dump, all of it or nothing. Scale lakeFS and Label Studio to 0 before.
#
# usage: restore.sh DATABASE DUMP   with psql's own environment: PGHOST, PGPORT
# LAKEFS_PASSWORD, LABEL_STUDIO_PASSWORD: of the two roles.
set -eu

case "$1" in
  lakefs) PGPASSWORD="$LAKEFS_PASSWORD" ;;
  label_studio) PGPASSWORD="$LABEL_STUDIO_PASSWORD" ;;
  *)
    echo "no database of ours: $1 (lakefs, label_studio)" >&2
    exit 2
    ;;
esac
export PGPASSWORD

# What came after the dump goes, too: its tables would else be left beside the restored ones.
pg_restore --list "$2" >/dev/null
{
  echo 'drop schema public cascade; create schema public;'
  pg_restore --no-owner --file - "$2"
} | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --output /dev/null \
  --username "$1" --dbname "$1"
echo "restored $1 from $2"
