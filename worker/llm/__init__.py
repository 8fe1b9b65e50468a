"""What `worker.llm_manager` is made of."""
