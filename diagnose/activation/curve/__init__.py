"""The curve of an elementwise function: sampled adaptively, its shape, and whether its gradient is its slope."""
