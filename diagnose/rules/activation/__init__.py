"""The activation at work in a training."""
