"""The ways in: HTTP and the command line.

cli       `ibid`: the list of commands, and `main`
commands  one file a command group; `terminal` holds their options and how they print
http      the HTTP service
service   one process: catalogue, models, question path and jobs, opened from the settings
sync      sync a corpus with a folder and tell the webhook: for the command and for the schedule
webhook   the signed POST that tells of a sync
llama_index  the adapter: Ibid's parts for llama-index applications
render    answers, hits, jobs and syncs as JSON-able dictionaries
demo      the demonstration that `make demo` runs
"""
