"""From a plan to an image: Dockerfile, build context, BuildKit."""
