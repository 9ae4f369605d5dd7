"""What can be wrong: one file a rule, in a folder for each part of the catalogue, over the evidence they share."""
