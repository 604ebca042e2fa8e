# shellcheck shell=bash
# Completion of rpctl for bash; needs nothing but bash 4.4. Sourced by bash-completion, or by hand.
#
# The lists of commands and options stand here, so that no program runs while a person types. A test holds them
# against `rpctl help`. Readline cuts words at '=' and ':' too, so they are put together again first, and what stands
# before the last cut is taken off every answer.

_rpctl_commands='run start upgrade restart abort status logs stop reexec version help'
_rpctl_global='-n --name --dir --json -q --quiet -h --help'
_rpctl_policy='--instances --health --health-count --health-interval --ready-timeout --bake --quiesce-timeout
    --drain-timeout --idle-grace --max-draining --max-restarts --wait --stop-signal --witness --allow-drop --config'

# Prints the options of a command; of rpctl itself without one.
_rpctl_options() {
    case $1 in
        '') printf '%s ' "$_rpctl_global" --version ;;
        run | start | upgrade) printf '%s ' "$_rpctl_policy" --env "$_rpctl_global" ;;
        restart) printf '%s ' "$_rpctl_policy" "$_rpctl_global" ;;
        status) printf '%s ' --watch "$_rpctl_global" ;;
        logs) printf '%s ' -f --follow --lines --generation "$_rpctl_global" ;;
        *) printf '%s ' "$_rpctl_global" ;;
    esac
}

_rpctl_takes_value() {
    case $1 in
        --json | -q | --quiet | -h | --help | --version | --allow-drop | --watch | -f | --follow) return 1 ;;
        -n | --*) return 0 ;;
        *) return 1 ;;
    esac
}

# Sets `words`, up to the cursor: COMP_WORDS, with those joined that have no blank between them.
_rpctl_join_words() {
    local rest=$COMP_LINE word i
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i > 0)) && [[ $rest != [[:space:]]* ]]; then
            words[-1]+=$word
        else
            words+=("$word")
            rest=${rest#"${rest%%[![:space:]]*}"}
        fi
        rest=${rest#"$word"}
    done
}

# Sets from `words`: `command`, `dir`, `name`; `operands`, how many words behind the command are no options;
# `options_ended`; and `pending`, the option whose value is being written. The last word is not looked at, but for
# "--option=".
_rpctl_read_line() {
    local i word last=$((${#words[@]} - 1))
    command='' dir='' name='' pending='' operands=0 options_ended=''
    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        if [[ -z $options_ended && $word == -?* ]]; then
            [[ $word != -- ]] || options_ended=yes
            if [[ $word == --*=* ]]; then
                _rpctl_note "${word%%=*}" "${word#*=}"
            elif [[ $word != -- ]] && _rpctl_takes_value "$word"; then
                ((++i < last)) || { pending=$word && return; }
                _rpctl_note "$word" "${words[i]}"
            fi
        elif [[ -z $command ]]; then
            command=$word options_ended=''
        else
            ((++operands))
            options_ended=yes
        fi
    done
    if [[ -z $options_ended && ${words[last]} == --*=* ]]; then pending=${words[last]%%=*}; fi
}

_rpctl_note() {
    case $1 in
        -n | --name) name=$2 ;;
        --dir) dir=$2 ;;
    esac
}

# Prints the folder that services live in.
_rpctl_dir() {
    local folder=${dir:-${RPCTL_DIR-}}
    if [[ -z $folder && $EUID == 0 ]]; then
        folder=/var/lib/rpctl
    elif [[ -z $folder ]]; then
        folder=${XDG_STATE_HOME:-${HOME-}/.local/state}/rpctl
    fi
    # A tilde that readline has left as it was typed.
    if [[ $folder == \~/* ]]; then folder=${HOME-}/${folder#*/}; fi
    printf '%s' "$folder"
}

# The answers below are lines, for no answer has a line end in it; `add WORD…` takes those that fit.
_rpctl_add() {
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_rpctl_add_paths() {
    compopt -o filenames 2>/dev/null
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen "$@" -- "$cur")
}

_rpctl_add_services() {
    local path
    while IFS= read -r path; do
        path=${path##*/}
        if [[ $path =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$ ]]; then COMPREPLY+=("$path"); fi
    done < <(compgen -d -- "$(_rpctl_dir)/$cur")
}

_rpctl_add_generations() {
    local path before
    before=$(_rpctl_dir)/${name:-${RPCTL_NAME:-default}}/log/generation-
    while IFS= read -r path; do
        path=${path#"$before"}
        path=${path%.log}
        if [[ $path =~ ^[0-9]+$ ]]; then COMPREPLY+=("$path"); fi
    done < <(compgen -f -- "$before$cur")
}

# Programs: by path, or of PATH. A file in the working directory needs its "./", so it gets it.
_rpctl_add_binaries() {
    local path before=
    [[ -n $cur ]] || before=./
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do
        if [[ -d $path ]]; then
            COMPREPLY+=("$path")
        elif [[ -x $path && (-n $before || $path == */*) ]]; then
            COMPREPLY+=("$before$path")
        fi
    done < <(compgen -f -- "$cur")
    [[ -n $cur && $cur != */* ]] || return 0
    while IFS= read -r path; do
        if type -P -- "$path" >/dev/null; then COMPREPLY+=("$path"); fi
    done < <(compgen -c -- "$cur" | sort -u)
}

_rpctl_complete_value() {
    case $1 in
        -n | --name) _rpctl_add_services ;;
        --dir) _rpctl_add_paths -d ;;
        --config) _rpctl_add_paths -f ;;
        --health)
            _rpctl_add 'auto http:/ tcp none'
            if [[ ${COMPREPLY[*]-} == http:/ ]]; then compopt -o nospace 2>/dev/null; fi
            ;;
        --wait) _rpctl_add 'drained shifted' ;;
        --stop-signal) _rpctl_add 'TERM INT QUIT HUP USR1 USR2' ;;
        --witness) _rpctl_add off ;;
        --generation) _rpctl_add_generations ;;
    esac
}

_rpctl_complete_word() {
    case $command in
        '') _rpctl_add "$_rpctl_commands" ;;
        run | start | upgrade)
            if ((operands == 0)); then _rpctl_add_binaries; else _rpctl_add_paths -f; fi
            ;;
        help)
            if ((operands == 0)); then _rpctl_add "$_rpctl_commands"; fi
            ;;
    esac
}

# Takes off every answer what readline keeps: all of `$1` up to the last character at which it cuts.
_rpctl_cut() {
    local breaks='' kept
    [[ $COMP_WORDBREAKS != *=* ]] || breaks+='='
    [[ $COMP_WORDBREAKS != *:* ]] || breaks+=':'
    [[ -n $breaks && ${#COMPREPLY[@]} -gt 0 ]] || return 0
    kept=${1%"${1##*["$breaks"]}"}
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

_rpctl() {
    local words command dir name pending operands options_ended cur
    COMPREPLY=()
    _rpctl_join_words
    _rpctl_read_line
    cur=${words[-1]}
    if [[ -n $pending && $cur == "$pending="* ]]; then
        cur=${cur#*=}
        _rpctl_complete_value "$pending"
        COMPREPLY=("${COMPREPLY[@]/#/$pending=}")
    elif [[ -n $pending ]]; then
        _rpctl_complete_value "$pending"
    elif [[ -z $options_ended && $cur == -* ]]; then
        _rpctl_add "$(_rpctl_options "$command")"
    else
        _rpctl_complete_word
    fi
    _rpctl_cut "${words[-1]}"
}

complete -F _rpctl rpctl
