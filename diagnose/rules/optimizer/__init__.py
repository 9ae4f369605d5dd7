"""Gradients, updates and the optimizer."""
