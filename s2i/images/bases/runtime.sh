# Trim an unpacked set of Debian packages to a runtime image: mmdebstrap's extract hook, $1 is the root. S2I_PYTHON is
# what becomes /usr/local when the Python is not Debian's.
#
# No maintainer script has run, so what they would have made (CA bundle, passwd, /etc/localtime) is made here.
set -eu
root=$1

# Scanners and SBOM tools read what is inside from here, as they do for distroless images.
mkdir -p "$root/var/lib/dpkg/status.d"
for deb in "$root"/var/cache/apt/archives/*.deb; do
    name=$(dpkg-deb --field "$deb" Package)
    dpkg-deb --field "$deb" Package Version Architecture Source Section Maintainer Description \
        >"$root/var/lib/dpkg/status.d/$name"
done

# Programs: Python, a shell, and what small start scripts use.
keep=" [ basename cat chmod cp cut date df dirname echo env expr false head id ln ls mkdir mktemp mv printenv printf pwd
 readlink realpath rm rmdir sh dash sleep sort stat tail tee test timeout touch tr true uname wc getconf "
for path in "$root"/usr/bin/*; do
    name=${path##*/}
    case $name in python3* | getent) continue ;; esac
    case $keep in *[[:space:]]"$name"[[:space:]]*) ;; *) rm -f "$path" ;; esac
done
find "$root/usr/sbin" -mindepth 1 ! -name 'ldconfig*' -delete
[ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"

lib=$(dirname "$(find "$root/usr/lib" -name 'libc.so.6')")
# Nothing that is left needs libsystemd (1.3 MB). Without its entry in the list, what does need it brings it along.
rm -f "$lib"/libsystemd.so.* "$root/var/lib/dpkg/status.d/libsystemd0"
rm -rf "$lib/gconv" "$lib/perl-base" "$lib"/libpython*.a "$lib/audit"
find "$root/usr/share" -mindepth 1 -maxdepth 1 \
    ! -name doc ! -name zoneinfo ! -name ca-certificates ! -name common-licenses -exec rm -rf {} +
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
find "$root/usr/share/doc" -depth -type d -empty -delete
rm -rf "$root"/usr/share/zoneinfo/right "$root"/usr/share/zoneinfo/posix "$root"/usr/games "$root"/usr/include \
    "$root"/usr/src "$root"/usr/lib/valgrind "$root"/usr/lib/systemd "$root"/usr/lib/mime "$root"/usr/lib/binfmt.d \
    "$root"/usr/local/games "$root"/usr/local/src "$root"/usr/local/include \
    "$root"/etc/apt "$root"/etc/cron.daily "$root"/etc/default "$root"/etc/dpkg "$root"/etc/logrotate.d \
    "$root"/etc/skel "$root"/etc/update-motd.d "$root"/var/lib/apt "$root"/var/cache/apt "$root"/var/backups "$root"/boot "$root"/media \
    "$root"/mnt "$root"/opt "$root"/srv

# The certificates, as one bundle, where OpenSSL and Python look.
mkdir -p "$root/etc/ssl/certs" "$root/usr/lib/ssl"
cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
ln -sfn /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
rm -rf "$root/usr/share/ca-certificates" "$root/etc/ca-certificates" "$root/usr/local/share/ca-certificates"

printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1001:0:app:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' >"$root/etc/nsswitch.conf"
ln -sfn /usr/share/zoneinfo/Etc/UTC "$root/etc/localtime"
echo Etc/UTC >"$root/etc/timezone"
mkdir -p "$root/app" "$root/opt" "$root/tmp"
chmod 1777 "$root/tmp"

# The standard library, without what no service imports, byte-compiled: a missing .pyc costs every start.
library=usr/lib
if [ -n "${S2I_PYTHON:-}" ]; then
    cp -R --preserve=mode,timestamps,links "$S2I_PYTHON/." "$root/usr/local/"
    rm -rf "$root"/usr/local/include "$root"/usr/local/lib/pkgconfig "$root"/usr/local/bin/*-config
    library=usr/local/lib
    # pyenv leaves the debugger's tables in: a third of such a base.
    if command -v strip >/dev/null; then
        find "$root/usr/local" -type f \( -name '*.so' -o -name '*.so.*' -o -name 'python3.*' \) \
            -exec strip --strip-unneeded --preserve-dates {} +
    fi
fi
for python in "$root/$library"/python3.*; do
    rm -rf "$python"/test "$python"/*/test "$python"/*/tests "$python"/idlelib "$python"/tkinter "$python"/ensurepip \
        "$python"/turtledemo "$python"/turtle.py "$python"/pydoc_data "$python"/config-3*
    # Modules for CPython's own tests: 1 MB that nothing else imports.
    rm -f "$python"/lib-dynload/_test*.so "$python"/lib-dynload/_ctypes_test*.so "$python"/lib-dynload/_xxtestfuzz*.so \
        "$python"/lib-dynload/xxlimited*.so "$python"/lib-dynload/xxsubtype*.so
    name=${python##*/}
    unchecked="--invalidation-mode unchecked-hash"
    [ "$name" != python3.6 ] || unchecked= # it came with 3.7
    # shellcheck disable=SC2086 # two words, or none
    chroot "$root" "/${library%lib}bin/$name" -m compileall -q -j 0 $unchecked "/$library/$name"
done
[ -n "${S2I_PYTHON:-}" ] || [ -e "$root/usr/bin/python3" ] ||
    ln -s "$(cd "$root/usr/bin" && ls python3.* | head -n 1)" "$root/usr/bin/python3"
chroot "$root" /sbin/ldconfig
rm -rf "$root/var/cache/ldconfig" "$root/etc/ld.so.conf.d/fakeroot"*
