"""Training samples against others."""
