"""Benchmarks of answers: answering, citing, refusing and finding conflicts.

handbook            the handbook, end to end; ablation switches its stages off, one at a time
documents           files as people have them
rows                look-ups in tables
refusal, conflicts, injection    what is refused; sources that differ; planted instructions
faults              planted faults that the gate must catch
faithfulness        RAGAS with our judge, against people
shorter_evidence    what compressed evidence loses
first_token         when a language model begins to write; talker and tiny_causal stand in for one
"""
