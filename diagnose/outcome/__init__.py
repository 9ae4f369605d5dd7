"""What a training achieved, against the best constant answer."""
