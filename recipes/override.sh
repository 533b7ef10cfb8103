# shellcheck shell=bash
# For the recipes to source: any text, such as a path with spaces or quotes, as a value in Hydra's overrides.

quoted() { # text: 'text', which Hydra and OmegaConf read as this very text
    local text
    text=$(escaped "$(escaped "$1" "\${")" "'")
    printf "'%s%s'" "$text" "${text##*[!\\]}" # backslashes before the last quote count twice
}
escaped() { # text, mark: a backslash before each mark, those that stand there twice
    local rest=$1 piece done=''
    while [[ $rest == *"$2"* ]]; do
        piece=${rest%%"$2"*} rest=${rest#*"$2"}
        done+=$piece${piece##*[!\\]}\\$2
    done
    printf %s "$done$rest"
}
