// Runs actions on the same key one after the other, and actions on different ones at once.
import { SerialQueue } from '../../runtime/serial-queue.js';

export class QueuesByKey {
  readonly #queues = new Map<string, { queue: SerialQueue; waiting: number }>();

  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const entry = this.#queues.get(key) ?? { queue: new SerialQueue(), waiting: 0 };
    this.#queues.set(key, entry);
    entry.waiting++;
    try {
      return await entry.queue.run(action);
    } finally {
      if (--entry.waiting === 0) this.#queues.delete(key);
    }
  }
}
