"""What `worker.ports` gives to handlers as `embeddings`: which models there are, and texts that travel together."""
