// What values/hash.ts uses of a global that the types of Node 20 do not declare.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Readonly<Record<string, unknown>>;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    /** By so many pages of 64 KiB; views of the buffer until then are of no use any more. */
    grow(pages: number): number;
  }
}
