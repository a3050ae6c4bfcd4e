// Writes a recording, line by line.
import { RECORDING_VERSION, type RecordedEvent, type RecordingEnd, type RecordingHeader } from './format.js';

export class RecordingWriter {
  #events = 0;
  #hasEnded = false;
  readonly #write: (text: string) => void;

  /** @param write takes whole lines */
  constructor(write: (text: string) => void, header: Omit<RecordingHeader, 'nmrfs' | 'version'>) {
    this.#write = write;
    const first: RecordingHeader = { nmrfs: 'recording', version: RECORDING_VERSION, ...header };
    write(`${JSON.stringify(first)}\n`);
  }

  add(event: RecordedEvent): void {
    if (this.#hasEnded) return;
    this.#events++;
    this.#write(`${JSON.stringify(event, plain)}\n`);
  }

  /** What comes after this is left out. */
  end(): void {
    this.#hasEnded = true;
    const last: RecordingEnd = { kind: 'end', events: this.#events };
    this.#write(`${JSON.stringify(last)}\n`);
  }
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
