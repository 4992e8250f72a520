"""Images of services for apps, made from Debian's packages: a database that runs as any container does."""

from __future__ import annotations

from s2i.images.services.obtain import ensure

__all__ = ["ensure"]
