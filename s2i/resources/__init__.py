"""What the platform knows: projects, apps, revisions, jobs. Frozen types and names, no I/O."""
