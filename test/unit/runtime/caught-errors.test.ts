import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FileError, ServiceError } from '../../../src/protocol/errors.js';
import { AssertionError, assert as assertTrue } from '../../../src/runtime/assert.js';
import { errorFields } from '../../../src/runtime/caught-errors.js';
import { isProgramFault, rethrowProgramFault } from '../../../src/runtime/faults.js';

const systemError = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });

describe('what a log line says of an error', () => {
  it('is the reason and the code of one that is expected', () => {
    assert.deepEqual(errorFields(new FileError('ENOENT', 'no a')), {
      reason: 'FileError: ENOENT: no a',
      code: 'ENOENT',
    });
    assert.deepEqual(errorFields(new ServiceError('DEADLINE', 'late')), {
      reason: 'ServiceError: late',
      code: 'DEADLINE',
    });
    assert.deepEqual(errorFields(systemError), { reason: 'Error: EACCES: permission denied', code: 'EACCES' });
  });

  it('has the stack of every other', () => {
    const coded = Object.assign(new TypeError('no such thing'), { code: 'ERR_INVALID_ARG_TYPE' });
    for (const error of [new Error('x'), new TypeError('x'), coded]) {
      assert.match(errorFields(error).stack ?? '', /caught-errors\.test/);
    }
    assert.deepEqual(errorFields('thrown as text'), { reason: 'thrown as text', stack: 'thrown as text' });
  });
});

describe("a program's fault", () => {
  it('is what neither disks nor networks nor users can cause', () => {
    for (const fault of [new TypeError(), new RangeError(), new ReferenceError(), new AssertionError()]) {
      assert.ok(isProgramFault(fault), fault.name);
      assert.throws(() => rethrowProgramFault(fault), fault);
    }
    for (const other of [new FileError('EIO', ''), new ServiceError('FAILED', ''), systemError, new Error(), 'text']) {
      assert.ok(!isProgramFault(other), String(other));
      rethrowProgramFault(other);
    }
  });

  it('is an assertion that fails', () => {
    assertTrue(true, 'never seen');
    assert.throws(() => assertTrue(0, 'a count is positive'), {
      name: 'AssertionError',
      message: 'a count is positive',
    });
  });
});
