"""What is reported is not what happened."""
