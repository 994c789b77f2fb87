"""What happens beside a training: progress, records, checkpoints, early ends."""
