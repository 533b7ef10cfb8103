"""verl on a machine with no accelerator. Nothing here is imported unless VERL_PLATFORM=cpu."""
