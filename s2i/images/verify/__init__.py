"""Build a source twice, the second time without any cache, and tell what differs."""

from s2i.images.verify.causes import Finding
from s2i.images.verify.twice import Verdict, verify

__all__ = ["Finding", "Verdict", "verify"]
