"""The commands, a file a group; `api.cli` lists them and imports the one that is invoked.

ask          search, ask
chat         chat, memory
documents    documents, corpora, delete
ingest       ingest
sync         sync
moving       backup, restore, export, import
generations  generations
jobs         jobs
models       models
evaluate     eval
doctor       doctor
serve        serve
lines        JSON Lines in and out, for --batch
terminal     what all share: options, exit codes, printing, progress
"""
