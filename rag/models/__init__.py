"""The packaged models, and any that take their place."""
