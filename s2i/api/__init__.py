"""The HTTP face of the control plane, on a unix socket."""
