"""Files that are no JSON: a block of Lua between two marks, and the run configurations of JetBrains' editors."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

from pipefile.base.errors import PipefileSyntaxError
from pipefile.editor.patterns import VIM
from pipefile.load.faults import at_offset

BEGIN = "-- >>> pipefile"
END = "-- <<< pipefile"

_NEOVIM = """\
-- >>> pipefile: written by `pipefile editor neovim`
do
  local command = {COMMAND}
  vim.o.makeprg = command .. " build --color=never $*"
  vim.o.errorformat = table.concat({
{FORMAT}
  }, ",")

  -- :Pipefile [WORDS] builds and fills the quickfix list
  vim.api.nvim_create_user_command("Pipefile", function(given)
    vim.cmd("make! " .. given.args)
  end, {
    nargs = "*",
    complete = function(_, line)
      local words = vim.split(line:gsub("^%s*%S+", "build"), "%s+")
      local found = vim.fn.systemlist(vim.list_extend({ "pipefile", "completion", "--for", "zsh", "pipefile" }, words))
      return vim.tbl_map(function(each) return (each:gsub("\\t.*", "")) end, found)
    end,
  })

  -- stages as tasks of overseer.nvim, where that is installed
  local has_overseer, overseer = pcall(require, "overseer")
  if has_overseer then
    local root = vim.fn.getcwd()
    local function task(name, words)
      return {
        name = name,
        builder = function()
          return {
            cmd = vim.list_extend({WORDS}, words),
            cwd = root,
            env = { TERM = "dumb" },
            components = { { "on_output_quickfix", errorformat = vim.o.errorformat, open_on_match = true }, "default" },
          }
        end,
      }
    end
    overseer.register_template({
      name = "pipefile",
      generator = function(_, done)
        local listed = vim.json.decode(vim.fn.system(vim.list_extend({WORDS}, { "list", "--json" })))
        local found = { task("pipefile build", { "build", "--color=never" }), task("pipefile watch", { "watch", "--color=never" }) }
        for _, stage in ipairs(listed.stages) do
          table.insert(found, task("pipefile " .. stage.name, { "build", "--color=never", "--", stage.name }))
        end
        done(found)
      end,
    })
  end
end
-- <<< pipefile
"""


def neovim(words: Sequence[str]) -> str:
    """What `.nvim.lua` gets.

    Args:
        words: How pipefile is called.
    """
    lines = "\n".join(f"    {_lua(each)}," for each in VIM)
    listed = "{ " + ", ".join(_lua(word) for word in words) + " }"
    return _NEOVIM.replace("{COMMAND}", _lua(shlex.join(words))).replace("{FORMAT}", lines).replace("{WORDS}", listed)


def _lua(text: str) -> str:
    """A string of Lua."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def joined(text: str, path: str, block: str, force: bool) -> tuple[str, Literal["", "added", "replaced", "kept"]]:
    """A file with a block in it, at its end if it has none yet; and what has happened.

    Raises:
        PipefileSyntaxError: One mark stands there without the other.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    block = block.replace("\n", newline)
    lines = text.splitlines(keepends=True)
    begin = [at for at, line in enumerate(lines) if line.startswith(BEGIN)]
    end = [at for at, line in enumerate(lines) if line.startswith(END)]
    if not begin and not end:
        between = "" if not text or text.endswith("\n\n") else newline if text.endswith("\n") else newline * 2
        return text + between + block, "added"
    if len(begin) != 1 or len(end) != 1 or end[0] < begin[0]:
        at = sum(map(len, lines[: (begin[1:] + end[1:] + begin + end)[0]]))
        raise at_offset("the marks of pipefile's block do not fit together", path, text, at, at + 1)
    old = "".join(lines[begin[0] : end[0] + 1])
    if old.rstrip("\r\n") == block.rstrip("\r\n"):
        return text, ""
    if not force:
        return text, "kept"
    return "".join(lines[: begin[0]]) + block + "".join(lines[end[0] + 1 :]), "replaced"


_JETBRAINS = """\
<component name="ProjectRunConfigurationManager">
  <configuration default="false" name="{NAME}" type="ShConfigurationType">
    <option name="SCRIPT_TEXT" value="{COMMAND}" />
    <option name="INDEPENDENT_SCRIPT_PATH" value="true" />
    <option name="SCRIPT_PATH" value="" />
    <option name="SCRIPT_OPTIONS" value="" />
    <option name="INDEPENDENT_SCRIPT_WORKING_DIRECTORY" value="true" />
    <option name="SCRIPT_WORKING_DIRECTORY" value="$PROJECT_DIR$" />
    <option name="INDEPENDENT_INTERPRETER_PATH" value="true" />
    <option name="INTERPRETER_PATH" value="" />
    <option name="INTERPRETER_OPTIONS" value="" />
    <option name="EXECUTE_IN_TERMINAL" value="false" />
    <option name="EXECUTE_SCRIPT_FILE" value="false" />
    <envs />
    <method v="2" />
  </configuration>
</component>
"""


def jetbrains(name: str, command: Sequence[str]) -> str:
    """A run configuration: a shell script in the project's folder, whose output has links."""
    from xml.sax.saxutils import quoteattr

    return _JETBRAINS.replace('"{NAME}"', quoteattr(name)).replace('"{COMMAND}"', quoteattr(shlex.join(command)))


def check_xml(text: str, path: str) -> None:
    """Refuse what is no XML.

    Raises:
        PipefileSyntaxError: With the place.
    """
    from xml.parsers import expat

    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        lines = text.split("\n")
        at = sum(len(line) + 1 for line in lines[: error.lineno - 1]) + error.offset
        raise _no_xml(expat.ErrorString(error.code), path, text, min(at, len(text))) from None


def _no_xml(message: str, path: str, text: str, at: int) -> PipefileSyntaxError:
    return at_offset(message, path, text, at, at + 1)
