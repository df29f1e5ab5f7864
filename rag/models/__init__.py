"""The packaged models and their replacements.

trunk              all-MiniLM-L6-v2, which comes inside a package
pack               the weights in `rag/pack/`, three adapters and two encoders, verified by their hashes
prepare, export    trunk and weights, merged and exported once to ONNX int8; heads: the networks
runtime            runs the prepared networks
foreign            loads models by local path or hub name, and refuses what is of another kind
embed              texts and their tokens to vectors
cross_encoder      how well a text answers a question, read together
evidence           which sentences, rows and list items of a text answer a question
reader             the words of a text that answer a question
judge              whether evidence supports a statement
compress           the important words of a text; token_classifier says which they are
"""
