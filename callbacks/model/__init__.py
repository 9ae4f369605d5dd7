"""The ground: a Keras model's layers, outputs, optimizers and nested structures, and how it is put back."""
