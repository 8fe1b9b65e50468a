"""One file a check, or a few that belong together: each holds `CHECKS`, a list of `common.verify.check.Check`."""
