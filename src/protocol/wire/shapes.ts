// Shapes of objects that travel often. On the wire such an object is the number of
// its shape and the values of its members, without their names. Names cost more
// than all the rest: the receiver must decode and look up each, which took a
// twelfth of a server's time for an fsync.
//
// A shape is known by its members' names in order. What has no shape here, or
// other members than usual, travels by names: correct all the same.

/** Makes the object of a shape from [number of the shape, value of its first member, of its second …]. */
type Make = (v: readonly unknown[]) => object;

// Written out as literals, since that is how the fastest objects are made. A number, once given, keeps its meaning for as long
// as the version of the protocol does.
const SHAPES: readonly Make[] = [
  // Blocks: puts, gets, deletions and their answers.
  (v) => ({ items: v[1] }),
  (v) => ({ items: v[1], durable: v[2], replace: v[3] }),
  (v) => ({ inode: v[1], index: v[2], version: v[3] }),
  (v) => ({ inode: v[1], index: v[2], version: v[3], data: v[4] }),
  (v) => ({ inode: v[1], index: v[2], version: v[3], base: v[4], baseHash: v[5], length: v[6], writes: v[7] }),
  (v) => ({ inode: v[1], index: v[2], version: v[3], offset: v[4], length: v[5], data: v[6] }),
  (v) => ({ offset: v[1], data: v[2] }),
  (v) => ({ results: v[1] }),
  (v) => ({ state: v[1], hash: v[2] }),
  (v) => ({ state: v[1], hash: v[2], length: v[3] }),
  (v) => ({ state: v[1], hash: v[2], length: v[3], data: v[4] }),
  (v) => ({ state: v[1], hash: v[2], length: v[3], data: v[4], pageHashes: v[5] }),
  // Metadata: what is around every command and query.
  (v) => ({ name: v[1], timeNs: v[2], request: v[3], durable: v[4], id: v[5] }),
  (v) => ({ name: v[1], timeNs: v[2], request: v[3], durable: v[4] }),
  (v) => ({ name: v[1], request: v[2] }),
  // A commit.
  (v) => ({
    inode: v[1],
    changes: v[2],
    truncateTo: v[3],
    minimumSizeBytes: v[4],
    modifyTimeNs: v[5],
    missing: v[6],
  }),
  (v) => ({ index: v[1], base: v[2], next: v[3] }),
  (v) => ({ index: v[1], version: v[2], hash: v[3], length: v[4] }),
  (v) => ({ state: v[1], attributes: v[2] }),
  // What files and names are, and what becomes of them.
  (v) => ({
    inode: v[1],
    kind: v[2],
    mode: v[3],
    links: v[4],
    uid: v[5],
    gid: v[6],
    sizeBytes: v[7],
    allocatedBytes: v[8],
    accessTimeNs: v[9],
    modifyTimeNs: v[10],
    changeTimeNs: v[11],
    device: v[12],
    blockSizeBytes: v[13],
    extendedAttributes: v[14],
    revision: v[15],
  }),
  (v) => ({ inode: v[1] }),
  (v) => ({ parent: v[1], name: v[2] }),
  (v) => ({
    parent: v[1],
    name: v[2],
    kind: v[3],
    mode: v[4],
    umask: v[5],
    device: v[6],
    target: v[7],
    caller: v[8],
    exclusive: v[9],
    blockSizeBytes: v[10],
  }),
  (v) => ({ uid: v[1], gid: v[2] }),
  (v) => ({ parent: v[1], name: v[2], held: v[3] }),
  (v) => ({ parent: v[1], name: v[2], newParent: v[3], newName: v[4], mode: v[5], held: v[6] }),
  (v) => ({ attributes: v[1], created: v[2], changed: v[3] }),
  (v) => ({ inode: v[1], links: v[2], changed: v[3] }),
  (v) => ({ changed: v[1] }),
  (v) => ({ inode: v[1], first: v[2], count: v[3] }),
  (v) => ({ attributes: v[1], blocks: v[2] }),
  (v) => ({ inode: v[1], cookie: v[2], limit: v[3], attributes: v[4] }),
  (v) => ({ entries: v[1], done: v[2], parent: v[3] }),
  (v) => ({ name: v[1], inode: v[2], kind: v[3], cookie: v[4], attributes: v[5] }),
  // Garbage.
  (v) => ({ sequence: v[1], inode: v[2], index: v[3], version: v[4] }),
  // Commands that were answered early, and what became of them.
  (v) => ({ commands: v[1] }),
  (v) => ({ name: v[1], timeNs: v[2], request: v[3], id: v[4] }),
  (v) => ({
    parent: v[1],
    name: v[2],
    kind: v[3],
    mode: v[4],
    umask: v[5],
    device: v[6],
    target: v[7],
    caller: v[8],
    exclusive: v[9],
    blockSizeBytes: v[10],
    inode: v[11],
  }),
  (v) => ({ inode: v[1], parent: v[2], name: v[3] }),
  (v) => ({ inode: v[1], changes: v[2], caller: v[3] }),
  (v) => ({ mode: v[1] }),
  (v) => ({ modifyTimeNs: v[1] }),
  (v) => ({ uid: v[1], gid: v[2], mode: v[3] }),
  (v) => ({ refused: v[1], takesChanges: v[2], hasRoom: v[3] }),
  // Listings and small files.
  (v) => ({ entries: v[1], done: v[2], directory: v[3] }),
  (v) => ({ attributes: v[1], parent: v[2], children: v[3], nextCookie: v[4], state: v[5] }),
  (v) => ({ name: v[1], inode: v[2], kind: v[3], cookie: v[4] }),
  (v) => ({ after: v[1], limit: v[2], mostBytes: v[3] }),
  (v) => ({ files: v[1], last: v[2] }),
];

/** The members of each shape, in order. */
export const SHAPE_MEMBERS: readonly (readonly string[])[] = SHAPES.map((make) => Object.keys(make([])));

/** A trie over the members' names: where the names so far lead. */
export interface ShapePath {
  readonly next: Map<string, ShapePath>;
  /** The shape that ends here. */
  number: number | undefined;
}

/** The root of the trie. */
export const SHAPE_PATHS: ShapePath = pathsOf(SHAPE_MEMBERS);

/** The object of [number, values …]; undefined when there is no such shape, or it has not so many members. */
export function shaped(values: readonly unknown[]): object | undefined {
  const [number] = values;
  if (typeof number !== 'number') return undefined;
  const members = SHAPE_MEMBERS[number];
  if (members === undefined || values.length !== members.length + 1) return undefined;
  return SHAPES[number]?.(values);
}

function pathsOf(shapes: readonly (readonly string[])[]): ShapePath {
  const start: ShapePath = { next: new Map(), number: undefined };
  for (const [number, members] of shapes.entries()) {
    let path = start;
    for (const name of members) {
      const next = path.next.get(name) ?? { next: new Map(), number: undefined };
      path.next.set(name, next);
      path = next;
    }
    path.number = number;
  }
  return start;
}
