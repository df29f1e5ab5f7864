"""The routes of the HTTP service.

documents  corpora, documents, originals, uploads
jobs       how far uploads are; cancel and retry
sync       a client's folder, by names and hashes
questions  search and ask, streamed or whole
sessions   what is remembered: sessions, exchanges, facts
status     health, readiness, the pages for people
"""
