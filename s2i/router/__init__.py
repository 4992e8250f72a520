"""How requests reach instances: routes by host name, slots by instance, Caddy as the proxy."""
