"""Benchmarks of conversations.

rewriting, standing    follow-ups against people's rewrites; questions that stand alone
multiturn              questions turn by turn
memory, recall         200 turns within the budget; evidence turns found again
"""
