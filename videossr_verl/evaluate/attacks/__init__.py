"""Rules that answer pretext tasks without any learning. What is a task worth if a program solves it without seeing?

One module a task, with RULES: name -> function of what a model is shown and told (`shown.Shown`) that gives an answer.
It is found by the task's name in the entry point group `videossr_verl.attacks`; a task may have none. No rule sees the
label, the stored change or the file. A task teaches seeing as far as its best rule falls short.
"""
