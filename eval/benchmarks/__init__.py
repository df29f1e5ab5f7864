"""How Ibid itself is measured: one module for each measurement of `python -m eval.bench`."""
