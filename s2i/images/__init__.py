"""From a plan to an image: Dockerfile, build context, BuildKit.

``build`` and ``render`` are imported when they are used: `s2i plan` needs neither.
"""
