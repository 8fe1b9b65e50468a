"""The example flow: route, retrieve, grade, answer with citations; or ask back; or answer directly."""
