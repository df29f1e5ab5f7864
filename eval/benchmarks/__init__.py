"""How Ibid itself was measured: one module for each measurement of `python -m eval.bench`."""
