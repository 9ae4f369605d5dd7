"""The data that the training met."""
