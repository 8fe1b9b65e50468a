"""A flow that asks a model and calls a tool, again and again, until the model says stop."""
