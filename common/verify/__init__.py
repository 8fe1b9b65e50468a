"""Does what the stores hold fit together? Checks are found by themselves: one file each under `checks/`."""
