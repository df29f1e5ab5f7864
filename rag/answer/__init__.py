"""From evidence to a checked answer.

strategy        which parts of the documents a prompt shows: retrieved spans, a whole document, or a summary first
overview        questions for an overview, in German, French and Spanish
codes           codes, versions and names that the evidence must mention
sentences       the units of the evidence that state something
labels          the numbers of an answer's sources
prompts         every instruction to a language model, and the fences around evidence
generator       the interfaces of a generator of answers and of a language model
extractive      the default: an answer composed of verbatim sentences
relevance       which sentence answers the question, and how likely the answer is to be right
writer          an answer that a language model writes; each sentence is kept only if evidence supports it
openai_client   a language model behind an OpenAI-compatible server
causal          a language model on this machine
verify          every citation against the stored text
conflicts/      sources that disagree: find, and below it claims, editions, values and regions
"""
