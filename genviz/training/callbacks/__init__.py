"""Training callbacks: progress, metrics, snapshots, checkpoints and early stopping."""
