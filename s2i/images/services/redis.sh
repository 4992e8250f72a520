#!/bin/sh
# Start Redis on the volume at /data, with the password that /run/service holds. The settings are in memory.
set -eu
umask 077
mkdir -p /data/redis
if [ -f /data/redis/restore.rdb ]; then # a dump, which is to be all that there is from now on
    rm -rf /data/redis/appendonlydir /data/redis/part
    mkdir /data/redis/part
    ln /data/redis/restore.rdb /data/redis/part/appendonly.aof.1.base.rdb
    echo 'file appendonly.aof.1.base.rdb seq 1 type b' >/data/redis/part/appendonly.aof.manifest
    mv /data/redis/part /data/redis/appendonlydir
    rm -f /data/redis/restore.rdb
fi
{
    printf 'bind * -::*\nport 6379\ndir /data/redis\nappendonly yes\ndaemonize no\n'
    printf 'requirepass %s\n' "$(cat /run/service/password)"
} >/tmp/redis.conf
exec redis-server /tmp/redis.conf
