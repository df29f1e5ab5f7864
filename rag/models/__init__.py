"""The packaged models and their replacements."""
