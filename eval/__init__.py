"""Is it good, and is it better than before?

questions, drafts     question sets: read, checked against a corpus, drafted from one
datasets              the handbook's questions, and public sets beside the checkout
trial                 a question path over freshly ingested documents
metrics, measures     measures of a ranking, of spans, of an answer
reading               measures of short answers
run, checks           every question asked, and checks that hold for any questions
faithfulness          RAGAS's measures, judged by the pack or by a server
gate                  a run compared with the last release's
ablate                each stage off or swapped
report/               runs and gates as Markdown, JUnit and JSON, and a page with plots
extra                 which packages evaluation needs beside the service's
bench, benchmarks/    how Ibid itself is measured; results/ has the figures
"""
