# Longer history for everybody.
HISTSIZE=10000
HISTTIMEFORMAT="%F %T "
