"""What a build must know and an image must not: secrets, the package index and its credentials, build arguments."""
