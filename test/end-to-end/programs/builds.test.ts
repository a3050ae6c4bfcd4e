// make, the TypeScript compiler and npm: builds that trust times of files,
// and trees of packages.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { Workplace } from '../../support/programs.js';

const MODULES = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(
  /\/typescript\/package\.json$/,
  '',
);

const C_PROJECT = `
mkdir -p c/include c/src
cd c
printf '#pragma once\\n#define FACTOR 3\\n' > include/factor.h
for n in 1 2 3 4 5; do
  printf '#include "factor.h"\\nint part%s(void) { return %s * FACTOR; }\\n' $n $n > src/part$n.c
done
printf 'int part6(void) { return 6; }\\n' > src/part6.c
{
  printf '#include <stdio.h>\\n'
  for n in 1 2 3 4 5 6; do printf 'int part%s(void);\\n' $n; done
  printf 'int main(void) { printf("%%d\\\\n", part1() + part2() + part3() + part4() + part5() + part6()); return 0; }\\n'
} > src/main.c
cat > Makefile <<'MAKEFILE'
OBJECTS = $(patsubst src/%.c,objects/%.o,$(wildcard src/*.c))
.DELETE_ON_ERROR:
program: libparts.a objects/main.o
	gcc -o $@ objects/main.o -L. -lparts
libparts.a: $(filter-out objects/main.o,$(OBJECTS))
	ar rcsD $@ $^
objects/%.o: src/%.c | objects
	gcc -O1 -MMD -Iinclude -c -o $@ $<
objects:
	mkdir -p $@
-include $(OBJECTS:.o=.d)
MAKEFILE
`;

const NPM = 'npm --offline --no-audit --no-fund --no-update-notifier --cache ../npm-cache';

/** Two packages as tarballs, one of which has a program, and a project that depends on both. */
const NPM_PROJECT = `
mkdir npm
cd npm
for name in left right; do
  mkdir -p package/lib
  printf '{"name": "%s", "version": "1.2.3", "main": "lib/index.js", "bin": {"%s-program": "lib/program.js"}}' $name $name > package/package.json
  printf 'module.exports = "%s";\\n' $name > package/lib/index.js
  printf '#!/usr/bin/env node\\nconsole.log(require("./index.js"));\\n' > package/lib/program.js
  for n in $(seq 60); do printf 'exports.n = %s;\\n' $n > package/lib/part$n.js; done
  tar --sort=name --mtime=@1700000000 --owner=0 --group=0 -czf $name.tgz package
  rm -r package
done
printf '{"name": "whole", "version": "1.0.0", "dependencies": {"left": "file:left.tgz", "right": "file:right.tgz"}}' > package.json
${NPM} install --package-lock-only > /dev/null 2>&1
`;

describe('builds', function () {
  this.timeout(180_000);
  let place: Workplace;

  before(async function () {
    place = await Workplace.open(this, ['make', 'gcc', 'ar', 'npm'], { servers: 3, readQuorum: 2 });
  });

  after(async () => {
    await place?.close();
  });

  it('make builds a C project, which runs and is the same as in a plain directory', async () => {
    await place.inBoth(C_PROJECT);
    assert.match(await place.inBoth('cd c; make -j2 | LC_ALL=C sort; ./program'), /^51$/m);
    await place.mustBeEqual('c');
  });

  it('make builds nothing the second time', async () => {
    assert.match(await place.inBoth('cd c; LC_ALL=C make'), /^make: .program. is up to date\.$/m);
  });

  it('make builds just what depends on a header that has changed', async () => {
    const built = await place.inBoth(
      'cd c; sed -i s/3/4/ include/factor.h; make | grep -c -- -MMD; ./program; make -q',
    );
    assert.equal(built, '5\n66\n');
    await place.mustBeEqual('c');
  });

  it('the TypeScript compiler builds a part of this project, the same as in a plain directory, and nothing the second time', async () => {
    const root = fileURLToPath(new URL('.', `file://${MODULES}`));
    const tsc = `${MODULES}/.bin/tsc -p . --rootDir . --outDir out --incremental --tsBuildInfoFile out/info`;
    await place.inBoth(`
      mkdir typescript; cd typescript
      cp ${root}/package.json ${root}/tsconfig.json .
      mkdir src
      cp -r ${root}/src/mediator ${root}/src/namespace ${root}/src/protocol ${root}/src/runtime src
      ln -s ${MODULES} node_modules
      ${tsc}
      find out -type f | wc -l`);
    await place.mustBeEqual('typescript', 'info');
    const second = `cd typescript; touch stamp; ${tsc}; find out -newer stamp`;
    assert.equal(await place.inBoth(second), '');
  });

  it('npm ci installs the same tree as in a plain directory, twice', async () => {
    await place.inBoth(NPM_PROJECT);
    for (let time = 0; time < 2; time++) {
      const printed = await place.inBoth(`
        cd npm; ${NPM} ci > /dev/null; node_modules/.bin/left-program; node -p 'require("right")'
        ${NPM} ls --parseable | wc -l`);
      assert.equal(printed, 'left\nright\n3\n');
      await place.mustBeEqual('npm');
    }
    const lock = await readFile(`${place.mounted}/npm/package-lock.json`, 'utf8');
    assert.match(lock, /"integrity": "sha512-/);
  });
});
