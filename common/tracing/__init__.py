"""Traces, for whoever collects them: nothing here is loaded or costs anything unless OTEL_* settings ask for it."""
