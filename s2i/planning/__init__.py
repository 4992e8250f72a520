"""The compiler: a Tree in, a BuildPlan out. Pure: no Docker, no network, no clock, no user code run."""
