"""The labels on everything that s2i makes. What runs is read from them; what has none is never touched."""

SERVER = "s2i.server"  # which server made it: two servers on one engine do not see each other's
PROJECT = "s2i.project"
APP = "s2i.app"
JOB = "s2i.job"
REVISION = "s2i.revision"
RUN = "s2i.run"
INSTANCE = "s2i.instance"
VOLUME = "s2i.volume"
ROLE = "s2i.role"  # "sandbox" | "instance" | "task" | "proof"
PORT = "s2i.port"  # on a sandbox: the port that its instance is to listen on
BUILD = "s2i.build"  # an image that `s2i build` made, outside any project
BASE = "s2i.base"  # a base image that `s2i doctor --fix` made
PLAN = "s2i.plan"  # the sha256 of the plan that an image was built by, as it is kept beside it
VERSION = "s2i.version"  # of the s2i that built an image
# What tells containers apart: no image says it of itself, whatever its Dockerfile does, for those that are run by hand.
OF_CONTAINERS = (REVISION, RUN, INSTANCE, ROLE, PORT, BASE)
READER = "s2i.reader"  # a container that is only read from, and never started
