"""Agents: every folder in here that has a `graph_orchestrator.py` is a flow. Heavy: only `worker.ports` imports it."""
