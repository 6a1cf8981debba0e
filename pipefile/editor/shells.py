"""Completion of shells: what each of them sources. What may follow, they ask pipefile itself (cli/candidates.py)."""

from __future__ import annotations

BASH = r"""# completion of pipefile for bash: source it, or put it into ~/.local/share/bash-completion/completions/pipefile
_pipefile() {
  local IFS=$'\n'
  COMPREPLY=($(command pipefile completion --for bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null))
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/=] ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -o nosort -F _pipefile pipefile 2>/dev/null || complete -F _pipefile pipefile
"""

ZSH = r"""#compdef pipefile
# completion of pipefile for zsh: put it as _pipefile into a folder of $fpath, or source it after compinit
_pipefile() {
  local -a lines whole open whole_texts open_texts
  local line word text
  lines=("${(@f)$(command pipefile completion --for zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    word=${line%%$'\t'*}
    text=${line#*$'\t'}
    [[ -n $text ]] && text="$word  -- $text" || text=$word
    if [[ $word == *[/=] ]]; then
      open+=("$word")
      open_texts+=("$text")
    else
      whole+=("$word")
      whole_texts+=("$text")
    fi
  done
  (( $#whole )) && compadd -l -d whole_texts -a whole
  (( $#open )) && compadd -S '' -l -d open_texts -a open
  return $(( $#whole + $#open == 0 ))
}
if [[ $funcstack[1] == _pipefile ]]; then
  _pipefile "$@"
else
  compdef _pipefile pipefile
fi
"""

FISH = r"""# completion of pipefile for fish: put it into ~/.config/fish/completions/pipefile.fish, or source it
function __pipefile_complete
    set -l words (commandline -opc)
    command pipefile completion --for fish $words (commandline -ct) 2>/dev/null
end
complete -c pipefile -f -a '(__pipefile_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
