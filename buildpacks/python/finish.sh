# Do, in the runtime stage, what the added packages' own installation scripts would have done.
set -eu;
/sbin/ldconfig;
# graphviz finds its plugins by this file, and writes it only when told to.
if [ -x /usr/bin/dot ]; then
    /usr/bin/dot -c;
fi;
# The list of image formats that GDK-Pixbuf can load.
for query in /usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders; do
    if [ -x "$query" ]; then
        "$query" --update-cache;
    fi;
done;
