"""The files of a run, and what makes it repeatable: records, checkpoints, snapshots, seeds, device."""
