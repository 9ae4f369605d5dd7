"""Remedies tried: applied to a freshly built program, trained beside the unchanged one, compared seed by seed."""
