"""The activation function on its own, judged from its profile."""
