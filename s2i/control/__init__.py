"""The control plane: what is wanted, what is observed, and the loop that closes the gap."""
