"""lmms-eval (0.7.x, unpatched): a model that answers through vLLM as `videossr eval` does, and tasks of our own.

Runs in an environment without verl (recipes/setup_lmms.sh), because verl and lmms-eval need different versions of the
same packages. Nothing else in the package imports from here.
"""
