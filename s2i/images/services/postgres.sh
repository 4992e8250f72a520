#!/bin/sh
# Start PostgreSQL on the volume at /data, for the database and the user that /run/service names.
#
# The password is read from a file and given on standard input: no list of processes shows it.
set -eu
umask 077
bin=$(echo /usr/lib/postgresql/*/bin)
data=/data/postgres
read_key() { cat "/run/service/$1"; }

if [ ! -s "$data/PG_VERSION" ]; then
    rm -rf "$data.new"
    "$bin/initdb" --pgdata "$data.new" --username postgres --auth-local trust --auth-host scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 >/dev/null
    printf 'local all all trust\nhost all all all scram-sha-256\n' >"$data.new/pg_hba.conf"
    printf 'CREATE ROLE "%s" LOGIN;\nCREATE DATABASE "%s" OWNER "%s";\n' \
        "$(read_key username)" "$(read_key database)" "$(read_key username)" |
        "$bin/postgres" --single -D "$data.new" postgres >/dev/null
    mv "$data.new" "$data" # only what is whole has the name
fi
rm -f "$data/postmaster.pid" # of a container that was killed: another process may have its number here
printf 'ALTER ROLE "%s" PASSWORD '\''%s'\'';\n' "$(read_key username)" "$(read_key password)" |
    "$bin/postgres" --single -D "$data" postgres >/dev/null

"$bin/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c password_encryption=scram-sha-256 &
server=$!
trap 'kill -INT $server' TERM INT # without waiting until the last client has gone
while code=0 && { wait $server || code=$?; } && kill -0 $server 2>/dev/null; do :; done
exit $code
