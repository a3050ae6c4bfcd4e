// Paths that people and XML-RPC give, and what they hear of those that lead nowhere.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Mediator } from '../../../src/mediator/mediator.js';
import type { XmlRpcValue } from '../../../src/protocol/http/xml-rpc.js';
import { ROOT_INODE } from '../../../src/protocol/services/files.js';
import { makeFile } from '../../support/fake-cluster.js';
import { CALLER, openCluster } from './fixture.js';

async function call({ xmlRpc }: Mediator, method: string, ...parameters: XmlRpcValue[]): Promise<XmlRpcValue> {
  const found = xmlRpc[method];
  if (found === undefined) throw new Error(`there is no method ${method}`);
  return found(...parameters);
}

describe('a path that leads nowhere', () => {
  const asks: [string, (mediator: Mediator, path: string) => Promise<unknown>][] = [
    ['votes', ({ admin }, path) => admin.votes({ path })],
    ['locate', ({ admin }, path) => admin.locate({ path })],
    ['corrupt', ({ admin }, path) => admin.corrupt({ path, server: 'data1' })],
    ['scrub', ({ admin }, path) => admin.scrub({ path })],
    ['get data', (mediator, path) => call(mediator, 'get', `${path}&&data`)],
    ['put data', (mediator, path) => call(mediator, 'put', `${path}/below&&data`, 'text')],
    ['put meta', (mediator, path) => call(mediator, 'put', `${path}&&meta`, { mode: 0o600 })],
  ];
  for (const [name, ask] of asks) {
    it(`is named by ${name} as it was given`, async () => {
      const { mediator } = await openCluster();
      await mediator.files.mkdir({ parent: ROOT_INODE, name: 'there', mode: 0o755, caller: CALLER });
      await assert.rejects(ask(mediator, '/there/none'), (error: Error) => {
        assert.match(error.message, /^ENOENT: \/there\/none/);
        return true;
      });
      await makeFile(mediator, 'file');
      await assert.rejects(ask(mediator, '/file/none'), /^FileError: ENOTDIR: \/file\/none/);
    });
  }

  it('is named where a file stands in the place of a directory', async () => {
    const { mediator } = await openCluster();
    await makeFile(mediator, 'file');
    await assert.rejects(call(mediator, 'put', '/file/below&&data', 'text'), /ENOTDIR: \/file\/below/);
    await assert.rejects(call(mediator, 'get', '/file&&list_nodes'), /ENOTDIR: \/file is a file/);
  });
});
