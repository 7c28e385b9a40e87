"""What a run leaves behind, and what it needs to be repeated: records, checkpoints, snapshots, seeds, device."""
