"""How Ibid itself is measured: one module for each measurement of `python -m eval.bench`.

answers/ conversation/    answering, refusing, citing; follow-ups and memory
retrieval/ models/        what is found; the packaged models by themselves
yardstick/ filings/       questions that people asked; tables of financial reports
operations/               crashes, scale, ingestion, backup, start-up
"""
