"""Rules that answer pretext tasks without any learning. What is a task worth if a program solves it without seeing?

One module a task, with RULES: name -> function of what a model is shown and told (`shown.Shown`) that gives an answer.
The task's name finds it in the entry point group `videossr_verl.attacks`; a task may have none. No rule sees the label,
the stored change or the file. The lower a task's best rule, the more the task teaches seeing.
"""
