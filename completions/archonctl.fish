complete --keep-order --exclusive --command archonctl --arguments "(ARCHONCTL_COMPLETE=fish archonctl -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
