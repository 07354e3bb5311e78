#!/bin/sh
# Makes the two roles and their databases, each role owner of its own and stranger to the other's.
# The image runs it when it makes a new data directory. Safe to repeat: a role that is there gets the
# Secret's password, so this is also how a password is changed.
#
# usage: make-databases.sh   as superuser of the server that psql's own environment names
# LAKEFS_PASSWORD, LABEL_STUDIO_PASSWORD: of the two roles.
set -eu

make_database() {
  # The password by the environment and not as an argument, which every process could read.
  ROLE_PASSWORD="$2" psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set "role=$1" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password ROLE_PASSWORD
select format('create role %I login', :'role')
  where not exists (select from pg_roles where rolname = :'role') \gexec
set log_statement = 'none';
alter role :"role" password :'password';
select format('create database %I owner %I template template0 encoding ''UTF8''', :'role', :'role')
  where not exists (select from pg_database where datname = :'role') \gexec
revoke connect, temporary on database :"role" from public;
SQL
}

make_database lakefs "$LAKEFS_PASSWORD"
make_database label_studio "$LABEL_STUDIO_PASSWORD"
