"""The profile of one activation function, as text, page and figure."""
