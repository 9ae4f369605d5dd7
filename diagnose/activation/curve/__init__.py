"""The curve of an elementwise function: sampled adaptively, and what its shape says."""
