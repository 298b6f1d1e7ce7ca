    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            if declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            elif ((COMP_CWORD == i + 1)); then
                compopt -o filenames
                COMPREPLY=($(compgen -c -- "${cur}"))
            fi
            return 0
        fi
    done
    if [[ ${cur} == = ]]; then
        cur=""
        prev+="="
    elif [[ ${prev} == = ]]; then
        prev="${COMP_WORDS[COMP_CWORD-2]}="
    fi
    if [[ ${prev} == --?*= && ! ${prev} =~ ^--(json|resume|shell)=$ ]]; then
        prev="${prev%=}"
    fi
    cmd=""
    opts=""
