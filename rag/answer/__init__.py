"""From evidence to a checked answer.

strategy        what of the documents a prompt shows: what was retrieved, a whole document, or a summary first
prompts         every word that a language model is told, and the fences around evidence
generator       what makes an answer of a context, and what a language model has to offer for it
extractive      the default: an answer composed of verbatim sentences
relevance       which sentence answers the question, and how likely the answer is to be right
writer          an answer that a language model writes, of which each sentence stands only with support
openai_client   a language model behind an OpenAI-compatible server
causal          a language model on this machine
verify          every citation against the stored text
conflicts/      sources that differ: find, and below it claims, editions, values and regions
"""
