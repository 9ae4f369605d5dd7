"""Loss, metric, labels and output layer, judged from the audit of one batch."""
