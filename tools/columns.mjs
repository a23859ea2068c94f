// Fails when a line of the page's JavaScript goes beyond column 110, with tabs of 4. Wider may be the
// catalogues, drawings in comments, lists of words, and literals of tests.

import { readFileSync } from 'node:fs';

const widest = 110;
const drawing = /^\s*(\*|\/\/) {3,}/;
const literal = /'(?:[^'\\]|\\.)*'|`[^`]*`/g;

let wide = 0;
for (const path of process.argv.slice(2)) {
  if (/words\/[a-z]{2}\.js$|wordlist\.js$/.test(path)) continue;
  readFileSync(path, 'utf8').split('\n').forEach((line, i) => {
    const text = path.endsWith('.test.js') ? line.replace(literal, "''") : line;
    const columns = [...text.replaceAll('\t', '    ')].length;
    if (columns <= widest || drawing.test(line)) return;
    console.error(`${path}:${i + 1}: ${columns} columns`);
    wide++;
  });
}
process.exit(wide > 0 ? 1 : 0);
