"""The HTTP face of the control plane, on a unix socket, and on TCP where it is told to."""
