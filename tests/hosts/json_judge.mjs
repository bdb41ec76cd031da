// Reads texts as VS Code does: a JSON array of them comes in, one of values goes out.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { parse } = createRequire(process.argv[2] + "/")("jsonc-parser");
const values = JSON.parse(readFileSync(0, "utf8")).map((text) => {
  const errors = [];
  const value = parse(text, errors, { allowTrailingComma: true });
  return errors.length === 0 ? { value } : { errors };
});
process.stdout.write(JSON.stringify(values));
