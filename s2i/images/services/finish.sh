# Finish the image of a service: mmdebstrap's extract hook, $1 is the root, S2I_START the script that starts it.
#
# No maintainer script has run: no cluster, no user and no unit of systemd was made.
set -eu
root=$1
[ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$root/usr/share/man" "$root/usr/share/info" "$root/var/lib/apt" "$root/var/cache/apt" "$root/etc/cron.d" \
    "$root/etc/init.d" "$root/etc/logrotate.d" "$root/usr/lib/systemd"
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:0:app:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' >"$root/etc/nsswitch.conf"
ln -sfn /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
mkdir -p "$root/tmp" "$root/data" "$root/run/service" "$root/usr/local/bin"
chmod 1777 "$root/tmp"
install -m 0755 "$S2I_START" "$root/usr/local/bin/start-service"
chroot "$root" /sbin/ldconfig
