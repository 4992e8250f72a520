"""Turn Python source into a running service, and say why at every step."""

__version__ = "0.1.0"
