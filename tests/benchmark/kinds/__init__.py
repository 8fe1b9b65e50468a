"""Job kinds of the benchmark; `tests.benchmark.letuin_worker` serves them instead of the product's own."""
