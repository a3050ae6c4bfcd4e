import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseHelperCall } from '../../../src/cli/mounting/mount-helper.js';
import { optionsProblem, parseMountOptions } from '../../../src/cli/mounting/mount-options.js';

const NOTHING = { remount: false, kernelOptions: [], unknown: [], unfit: [] };

describe('the options of a mount', () => {
  const cases: { options: string; expected: Partial<ReturnType<typeof parseMountOptions>> }[] = [
    { options: '', expected: {} },
    { options: 'defaults,_netdev,noauto,nofail,user,x-systemd.automount,comment=x,user=joe', expected: {} },
    { options: 'ro', expected: { readOnly: true } },
    { options: 'ro,rw', expected: { readOnly: false } },
    { options: 'noatime,relatime', expected: { accessTimes: 'relatime' } },
    { options: 'strictatime', expected: { unknown: ['strictatime'] } },
    { options: 'allow_other', expected: { allowOther: true } },
    { options: 'no_allow_other', expected: { allowOther: false } },
    { options: 'attribute_timeout=0', expected: { attributeTimeoutMs: 0 } },
    { options: 'config=/etc/a=b.yaml', expected: { configFile: '/etc/a=b.yaml' } },
    { options: 'remount,noexec', expected: { remount: true, kernelOptions: ['noexec'] } },
    { options: 'noexec,nosuid,exec', expected: { kernelOptions: ['noexec', 'nosuid', 'exec'] } },
    { options: 'attribute_timeout=soon', expected: { unfit: ['attribute_timeout=soon'] } },
    { options: 'attribute_timeout', expected: { unfit: ['attribute_timeout'] } },
    { options: 'shiny,config=,ro=1', expected: { unknown: ['shiny', 'ro=1'], unfit: ['config='] } },
  ];
  for (const { options, expected } of cases) {
    it(`${options || 'none'}: ${JSON.stringify(expected)}`, () =>
      assert.deepEqual(parseMountOptions(options.split(',')), { ...NOTHING, ...expected }));
  }
});

describe('a problem with the options of a mount', () => {
  const cases: { options: string; expected: RegExp | undefined }[] = [
    { options: 'ro,attribute_timeout=0', expected: undefined },
    { options: 'shiny,ro', expected: /^-o shiny: known options are ro, / },
    { options: 'attribute_timeout=abc', expected: /^-o attribute_timeout=abc: must be a whole number of milliseconds/ },
    { options: 'config=', expected: /^-o config=: must name the configuration file$/ },
  ];
  for (const { options, expected } of cases) {
    it(`is said in a line: ${options}`, () => {
      const problem = optionsProblem(parseMountOptions(options.split(',')));
      if (expected === undefined) assert.equal(problem, undefined);
      else assert.match(problem ?? '', expected);
    });
  }
});

describe('what mount(8) calls its helper with', () => {
  const cases: { words: string; expected: ReturnType<typeof parseHelperCall> }[] = [
    { words: 'host:1 /mnt', expected: call({}) },
    { words: 'host:1 /mnt -o rw,noexec', expected: call({ options: ['rw', 'noexec'] }) },
    { words: '-o ro host:1 -o nodev /mnt', expected: call({ options: ['ro', 'nodev'] }) },
    { words: 'host:1 /mnt -sfnv', expected: call({ sloppy: true, fake: true }) },
    { words: 'host:1 /mnt -f -t fuse.nmrfs -N /proc/1/ns/mnt', expected: call({ fake: true }) },
    { words: 'host:1', expected: undefined },
    { words: 'host:1 /mnt /other', expected: undefined },
    { words: 'host:1 /mnt -o', expected: undefined },
    { words: 'host:1 /mnt --shiny', expected: undefined },
  ];
  for (const { words, expected } of cases) {
    it(words, () => assert.deepEqual(parseHelperCall(words.split(' ')), expected));
  }

  function call(more: Partial<NonNullable<ReturnType<typeof parseHelperCall>>>) {
    return { source: 'host:1', directory: '/mnt', options: [], fake: false, sloppy: false, ...more };
  }
});
