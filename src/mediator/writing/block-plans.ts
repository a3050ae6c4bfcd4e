// The plans of one attempt at a write: what each touched block becomes, upon
// the versions that the block map names now.
import type { BlockChange } from '../../protocol/services/metadata.js';
import type { BlockMap } from '../metadata/block-map.js';
import type { FileWrite, WriteScope } from './file-write.js';
import { type BlockPlan, planBlock } from './write-plan.js';
import { planZeros } from './zero-plan.js';

export interface BlockPlans {
  plans: BlockPlan[];
  /**
   * Touched blocks that are holes afterwards. They are part of the commit, which must fail if another writer has put a block
   * there: what a truncation through a hole leaves of that block would come to light when the file grows.
   */
  holes: BlockChange[];
}

export async function planBlocks(
  blockMap: BlockMap,
  { inode, truncateTo, zeros }: FileWrite,
  { blockSize, touched }: WriteScope,
): Promise<BlockPlans> {
  const plans: BlockPlan[] = [];
  const holes: BlockChange[] = [];
  const indexes = [...touched.keys()];
  let at = 0;
  while (at < indexes.length) {
    // One lookup for each run of neighbours.
    const first = indexes[at] ?? 0;
    let count = 1;
    while (indexes[at + count] === first + count) count++;
    const { entries } = await blockMap.load(inode, first, count);
    for (let index = first; index < first + count; index++) {
      const base = entries[index - first] ?? null;
      const plan =
        zeros === undefined
          ? planBlock({ extents: touched.get(index) ?? [], truncateTo }, index, blockSize, base)
          : planZeros(zeros, index, blockSize, base);
      if (plan !== null) plans.push(plan);
      else holes.push({ index, base: base?.version ?? 0, next: null });
    }
    at += count;
  }
  return { plans, holes };
}
