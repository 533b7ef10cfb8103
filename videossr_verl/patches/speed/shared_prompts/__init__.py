"""One pass per prompt: rows of a micro-batch that begin with the same prompt are computed as one sequence. README.md
beside this file explains it.
"""
