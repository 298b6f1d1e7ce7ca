    if [[ ${cmd} =~ ^progrun__subcmd__(attach|cancel|wait)$ && ${cur} != -* ]]; then
        # The numbers and names of the runs that go on; not a name that would have to be quoted.
        local status='^{"event":"status","version":[0-9]*,"pid":\([0-9]*\),\("parent":[0-9]*,\)\{0,1\}"name":"\([^" \\]*\)"'
        local runs
        runs=$(progrun ps --json 2>/dev/null | sed -n "s/${status}.*/\1 \3/p")
        COMPREPLY=($(compgen -W "${runs}" -- "${cur}"))
        return 0
    fi
