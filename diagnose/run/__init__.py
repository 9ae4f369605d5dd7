"""What was seen of a training: records and their file. Nothing here holds an opinion, or knows Keras."""
