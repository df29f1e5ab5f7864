"""Benchmarks of the packaged models.

pack          each job of the pack with its baselines
compression   what compressed evidence still holds
judging       how well a judge distinguishes supported statements
"""
