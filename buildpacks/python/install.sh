# Install what the dependencies are compiled with, in the build stage. $@: "name" or "one | other", the first there is.
set -eu;
apt-get update -qq -o APT::Update::Error-Mode=any;
apt-get satisfy -q -y --no-install-recommends "$@";
