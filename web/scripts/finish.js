// Last step of the build: refuses a page that has grown too large, compresses what is text, and only then
// puts it where the program takes it from.
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { extname, join, relative } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const BUILT = '.build';
const DIST = 'dist';
/** Most bytes of page, styles and scripts together, compressed with gzip. */
const LIMIT = 60 * 1024;
const COUNTED = new Set(['.html', '.css', '.js']);
const TEXT = new Set([...COUNTED, '.svg']);

function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? files(path) : [path];
  });
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

let sum = 0;
const lines = [];
for (const path of files(BUILT).sort()) {
  if (!TEXT.has(extname(path))) continue;
  const bytes = readFileSync(path);
  const gz = gzipSync(bytes, { level: 9 });
  const br = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, br);
  if (COUNTED.has(extname(path))) sum += gz.length;
  lines.push(`  ${relative(BUILT, path)}: ${kib(gz.length)} with gzip, ${kib(br.length)} with brotli`);
}
console.log(lines.join('\n'));
if (sum > LIMIT) {
  console.error(`the page has ${kib(sum)} (gzip); it may have ${kib(LIMIT)}`);
  process.exit(1);
}
if (existsSync(DIST)) rmSync(DIST, { recursive: true });
renameSync(BUILT, DIST);
console.log(`the page has ${kib(sum)} of the ${kib(LIMIT)} that it may have (gzip)`);
