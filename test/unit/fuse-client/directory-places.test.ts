// Where the kernel was told that directories are.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DirectoryPlaces } from '../../../src/fuse-client/kernel/known/directory-places.js';
import { type Attributes, type FileKind, ROOT_INODE } from '../../../src/protocol/services/files.js';

const node = (inode: number, kind: FileKind = 'directory') => ({ inode, kind }) as Attributes;

/** /a (2) /a/b (3) /a/b/c (4) /x (5) */
function tree(): DirectoryPlaces {
  const places = new DirectoryPlaces();
  places.noteEntry(ROOT_INODE, 'a', node(2), places.renames);
  places.noteEntry(2, 'b', node(3), places.renames);
  places.noteEntry(3, 'c', node(4), places.renames);
  places.noteEntry(ROOT_INODE, 'x', node(5), places.renames);
  places.noteEntry(ROOT_INODE, 'file', node(6, 'file'), places.renames);
  return places;
}

describe('places of directories', () => {
  it('lead from the root, through whatever was renamed on the way', () => {
    const places = tree();
    assert.deepEqual(places.pathTo({ parent: 4, name: 'new' }), ['a', 'b', 'c', 'new']);
    assert.deepEqual(places.pathTo({ parent: ROOT_INODE, name: 'new' }), ['new']);
    places.renamed({ parent: 2, name: 'b' }, { parent: ROOT_INODE, name: 'moved' }, false);
    assert.deepEqual(places.pathTo({ parent: 4, name: 'new' }), ['moved', 'c', 'new']);
    places.noteEntry(5, 'deep', node(3), places.renames);
    assert.deepEqual(places.pathTo({ parent: 4, name: 'new' }), ['x', 'deep', 'c', 'new']);
    assert.equal(places.at({ parent: ROOT_INODE, name: 'moved' }), undefined);
  });

  it('are those of directories that the kernel knows, and of nothing else', () => {
    const places = tree();
    assert.equal(places.at({ parent: ROOT_INODE, name: 'file' }), undefined);
    places.noteEntry(3, '..', node(2), places.renames);
    places.noteEntry(3, '.', node(3), places.renames);
    places.noteEntry(2, '..', node(ROOT_INODE), places.renames);
    assert.equal(places.at({ parent: 2, name: 'b' }), 3);
    places.forget(3);
    assert.equal(places.at({ parent: 2, name: 'b' }), undefined);
    assert.equal(places.pathTo({ parent: 4, name: 'new' }), undefined);
  });

  it('change with a replacement and an exchange', () => {
    const places = tree();
    places.renamed({ parent: 3, name: 'c' }, { parent: ROOT_INODE, name: 'a' }, true);
    assert.equal(places.at({ parent: ROOT_INODE, name: 'a' }), 4);
    assert.equal(places.at({ parent: 3, name: 'c' }), 2);
    places.renamed({ parent: ROOT_INODE, name: 'x' }, { parent: ROOT_INODE, name: 'a' }, false);
    assert.equal(places.at({ parent: ROOT_INODE, name: 'a' }), 5);
    places.forget(4);
    assert.equal(places.at({ parent: ROOT_INODE, name: 'a' }), 5);
  });

  it('are not those of an answer that is older than a rename', () => {
    const places = tree();
    const { renames } = places;
    places.renamed({ parent: 2, name: 'b' }, { parent: 5, name: 'b' }, false);
    places.noteEntry(2, 'b', node(3), renames);
    assert.equal(places.at({ parent: 5, name: 'b' }), 3);
    places.noteEntry(5, 'new', node(9), renames);
    assert.equal(places.at({ parent: 5, name: 'new' }), 9);
  });

  it('end where they lead in a circle, as places that are old may', () => {
    const places = tree();
    places.noteEntry(4, 'a', node(2), places.renames);
    assert.equal(places.pathTo({ parent: 4, name: 'new' }), undefined);
  });
});
