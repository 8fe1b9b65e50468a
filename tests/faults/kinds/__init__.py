"""Job kinds that misbehave. Only the workers of the fault tests load them."""
