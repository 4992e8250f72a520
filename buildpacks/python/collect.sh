# Unpack Debian packages that the runtime base lacks under /opt/system, in the build stage.
# $@: "name" or "one | other", the first there is. /opt/base holds the list of what the runtime base has.
set -eu;
apt-get update -qq -o APT::Update::Error-Mode=any;
base=/opt/base;
system=/opt/system;
mkdir -p $base/status.d $base/debs/partial;

# The base's packages, as dpkg keeps the list or (without dpkg) as files of their own.
cat $base/status >$base/all;
for list in "$base"/status.d/*; do
    if [ -f "$list" ]; then
        { echo; echo "Status: install ok installed"; cat "$list"; } >>$base/all;
    fi;
done;
# These count as there: tools of packages' own installation scripts, which are not run, and drivers of
# screens and sound cards (LLVM alone is 120 MB), which no container has. Who asks for one by name gets it.
tools="adduser debconf dpkg init-system-helpers install-info sensible-utils ucf xdg-utils";
drivers="libegl-mesa0 libgl1-mesa-dri libglx-mesa0 mesa-libgallium va-driver-all vdpau-driver-all";
for name in $tools $drivers; do
    case " $* " in *" $name "*) continue;; esac;
    if apt-cache show --no-all-versions "$name" >$base/shown 2>/dev/null; then
        { echo; echo "Status: hold ok installed"; cat $base/shown; } >>$base/all;
    fi;
done;
# What is installed needs nothing: whatever its dependencies say, the base is as it is.
grep -E "^(Package|Status|Version|Architecture|Multi-Arch|Provides):|^$" $base/all >$base/known;

set -- -o Dir::State::status=$base/known -o Dir::Cache::archives=$base/debs -o APT::Sandbox::User=root "$@";
apt-get satisfy -q -y --no-install-recommends --download-only "$@";

# /lib is a link to /usr/lib in the base, and so on: what is copied over it must be sorted alike.
for folder in bin sbin lib lib64; do
    mkdir -p $system/usr/$folder;
    ln -s usr/$folder $system/$folder;
done;
mkdir -p $system/var/lib/dpkg/status.d $system/etc/ld.so.conf.d;
for deb in "$base"/debs/*.deb; do
    if [ -f "$deb" ]; then
        dpkg-deb --fsys-tarfile "$deb" >$base/files.tar;
        tar -x -f $base/files.tar -C $system --keep-directory-symlink;
        dpkg-deb --field "$deb" >"$system/var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)";
    fi;
done;
for folder in bin sbin lib lib64; do
    rm $system/$folder;
done;

# Libraries in folders of their own, which an installation script would have linked to.
for folder in "$system"/usr/lib/*/blas "$system"/usr/lib/*/lapack "$system"/usr/lib/*/pulseaudio; do
    if [ -d "$folder" ]; then
        echo "${folder#"$system"}" >>$system/etc/ld.so.conf.d/s2i.conf;
    fi;
done;
for folder in man info locale lintian bug gtk-doc doc-base; do
    rm -rf "${system:?}/usr/share/$folder";
done;
if [ -d $system/usr/share/doc ]; then
    find $system/usr/share/doc ! -type d ! -name copyright -delete;
    find $system/usr/share/doc -depth -type d -empty -delete;
fi;
# Nothing in a service's image may run with more rights than its user has.
find $system -type f -perm /6000 -exec chmod a-s {} +;
# One date, as all files of a layer have: the same packages make the same layer.
find $system -exec touch --no-dereference --date=1980-01-02 {} +;
