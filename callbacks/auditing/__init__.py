"""Model, loss, metrics and one batch, looked at together before any training."""
