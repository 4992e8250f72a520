"""The Docker Engine, spoken to over its API."""
