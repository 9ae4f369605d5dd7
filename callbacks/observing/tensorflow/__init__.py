"""The shadow step on Keras' TensorFlow backend."""
