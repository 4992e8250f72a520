"""Choose the entry: what of a source is served, or run once.

The first that holds: s2i.toml; what the Procfile, .s2i/environment or gunicorn.conf.py declare, when it is there; what
Django's settings name; the WSGI and ASGI applications of the code; scripts that listen by themselves; a console
script; a script that runs once. Everything that was seen and not taken is kept with the reason.
"""

from buildpacks.python.entry.choice import Choice, choose

__all__ = ["Choice", "choose"]
