#!/bin/sh
# Dumps both databases, and removes dumps that are older than is kept. A dump has its name only when
# it is whole and pg_restore can read it; a run that fails removes nothing.
#
# usage: back-up.sh   with psql's own environment: PGHOST, PGPORT
# LAKEFS_PASSWORD, LABEL_STUDIO_PASSWORD: of the two roles.
# BACKUPS: the directory; KEEP_DAYS: how many days a dump is kept.
set -eu
umask 077

now="$(date -u +%Y%m%dT%H%M%SZ)"

dump() {
  directory="$BACKUPS/$1"
  mkdir -p "$directory"
  unfinished="$directory/.unfinished"
  PGPASSWORD="$2" pg_dump --format=custom --username "$1" --dbname "$1" --file "$unfinished"
  pg_restore --list "$unfinished" >/dev/null
  sync "$unfinished"
  mv "$unfinished" "$directory/$now.dump"
  echo "$directory/$now.dump"
}

dump lakefs "$LAKEFS_PASSWORD"
dump label_studio "$LABEL_STUDIO_PASSWORD"
find "$BACKUPS" -type f -name '*.dump' -mtime "+$KEEP_DAYS" -print -delete
