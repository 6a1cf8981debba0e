// What VS Code makes of a program's output by the problem matchers of a task, as its task system does it: of matchers that fit the last lines, the one of
// most lines is taken, in the order in which they stand; a last pattern with `loop` goes on with each line after it; a line that begins a round of a
// background task forgets what was found before, one that ends it shows what was found.
//
// Standard input: [{"matchers": [...], "lines": [...], "root": "/..."}, ...]
// Standard output: for each of these its rounds, {"began", "ended", "problems"}.

import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";

const SEVERITIES = { error: "error", warning: "warning", warn: "warning", info: "info", note: "info", hint: "info" };
const FIELDS = ["file", "line", "column", "severity", "message", "code"];

function compiled(matcher) {
  const patterns = (Array.isArray(matcher.pattern) ? matcher.pattern : [matcher.pattern]).map((each) => ({ ...each, regexp: new RegExp(each.regexp) }));
  const captures = (name) => patterns.some((each) => each[name] !== undefined);
  if (!captures("file") || !captures("message") || (patterns[0].kind !== "file" && !captures("line"))) throw new Error("a matcher lacks file, message or line");
  if (patterns.slice(0, -1).some((each) => each.loop)) throw new Error("only the last pattern can loop");
  return { ...matcher, patterns };
}

function filled(data, pattern, match) {
  const found = { ...data };
  for (const field of FIELDS) {
    const value = pattern[field] === undefined ? undefined : match[pattern[field]];
    if (value === undefined) continue;
    if (found[field] === undefined) found[field] = value.trim();
    else if (field === "message") found[field] += "\n" + value.trim();
  }
  return found;
}

function problem(data, matcher, root) {
  const isFile = matcher.patterns[0].kind === "file";
  if (!data.file || !data.message || (!isFile && !data.line)) return null;
  const [kind, prefix] = matcher.fileLocation;
  const folder = prefix.replace("${workspaceFolder}", root);
  const relative = join(folder, data.file);
  if (kind.toLowerCase() !== "autodetect") throw new Error(`file location ${kind}`);
  return {
    file: existsSync(relative) || !isAbsolute(data.file) ? relative : data.file,
    line: isFile ? 0 : parseInt(data.line),
    column: data.column ? parseInt(data.column) : null,
    severity: SEVERITIES[(data.severity ?? "").toLowerCase()] ?? matcher.severity ?? "error",
    message: data.message,
    code: data.code ?? null,
  };
}

class Collector {
  constructor(matchers, root) {
    this.matchers = matchers.map(compiled);
    this.root = root;
    this.longest = Math.max(...this.matchers.map((each) => each.patterns.length));
    this.buffer = [];
    this.active = null;
  }

  next(line) {
    if (this.active) {
      const { matcher, data } = this.active;
      const last = matcher.patterns.at(-1);
      const match = last.regexp.exec(line);
      const found = match && problem(filled(data, last, match), matcher, this.root);
      if (found) return found;
      this.buffer = [];
      this.active = null;
    }
    this.buffer.push(line);
    if (this.buffer.length > this.longest) this.buffer.shift();
    for (let start = 0; start < this.buffer.length; start++) {
      for (const matcher of this.matchers) {
        if (matcher.patterns.length !== this.buffer.length - start) continue;
        const found = this.tried(matcher, start);
        if (found) {
          this.buffer = [];
          return found;
        }
      }
    }
    return null;
  }

  tried(matcher, start) {
    let data = {};
    let before = data;
    for (const [at, pattern] of matcher.patterns.entries()) {
      const match = pattern.regexp.exec(this.buffer[start + at]);
      if (!match) return null;
      before = data;
      data = filled(data, pattern, match);
    }
    const found = problem(data, matcher, this.root);
    if (found && matcher.patterns.at(-1).loop) this.active = { matcher, data: before };
    return found;
  }
}

function rounds({ matchers, lines, root }) {
  const background = matchers.map((each) => each.background).find((each) => each);
  const begins = background && new RegExp(background.beginsPattern);
  const ends = background && new RegExp(background.endsPattern);
  const collector = new Collector(matchers, root);
  const found = [{ began: !background || background.activeOnStart, ended: false, problems: [] }];
  for (const line of lines) {
    if (begins?.test(line)) {
      if (found.at(-1).ended || found.at(-1).problems.length) found.push({ began: true, ended: false, problems: [] });
    } else if (ends?.test(line)) {
      found.at(-1).ended = true;
    } else {
      const match = collector.next(line);
      if (match) found.at(-1).problems.push(match);
    }
  }
  return found;
}

const asked = JSON.parse(readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify(asked.map(rounds)));
