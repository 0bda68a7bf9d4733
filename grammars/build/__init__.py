"""Builds the small speech models that are shipped, from synthetic voices: `make speech-model`."""
