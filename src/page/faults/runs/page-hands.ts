// The hands of a run in the page: what the page asks and changes.
import { ask, change } from '../../live/ask.js';
import type { Hands } from './hands.js';

export function pageHands(isStopped: () => boolean): Hands {
  return {
    write: change.write,
    read: change.read,
    corrupt: (inode, servers) => change.corrupt(inode, servers),
    terminate: change.terminate,
    restart: change.restart,
    configure: change.configure,
    contents: (server, inode) =>
      ask.contents(server, inode).then(
        ({ entries }) => entries,
        () => null,
      ),
    async agreeing(inode) {
      const { blocks } = await ask.votes(inode, 0, 1);
      const [block] = blocks;
      if (block === undefined) return 0;
      return block.ballots.filter((ballot) => ballot.state === 'present' && ballot.hash === block.witness).length;
    },
    cluster: ask.cluster,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    clear: change.clear,
    get isStopped() {
      return isStopped();
    },
  };
}
