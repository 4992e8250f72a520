"""Running apps, measured: one module for each group of rows."""
