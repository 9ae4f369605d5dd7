"""From findings to a verdict: what explains what, how grave it is, and one headline."""
