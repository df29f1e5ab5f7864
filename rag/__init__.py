"""Online: from a question to a checked answer. Imports none of the other packages.

pipeline     the list of stages, and what a question meets on its way
stages       the stages as one frozen value, and the models that the settings choose for them
retrieve fuse rerank trim assemble rewrite recorder    one file for each stage
types        what travels: Document -> Chunk -> Hit -> Context -> Answer
errors       every error that is raised on purpose
settings/    read once and passed in; recipe: from settings to how a corpus is made
store/       the one truth: catalogue, originals, backups
index/       the indexes that follow it, by meaning and by words
models/      the packaged models and their replacements; their weights are in pack/
text/        words, sentences, and what in a text must not be lost or believed
answer/      from evidence to a checked answer
followup/    a follow-up question made to stand alone
memory/      what was said before
"""
