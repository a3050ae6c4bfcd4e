// The parts of the package xmlrpc that are used; it brings no types.

declare module 'xmlrpc/lib/customtype.js' {
  /** A value that writes its own element: `tagName` around the text of `raw`. */
  class CustomType {
    constructor(raw: string);
    raw: string;
    tagName: string;
  }
  export default CustomType;
}

declare module 'xmlrpc/lib/serializer.js' {
  const serializer: {
    serializeMethodResponse(result: unknown): string;
    serializeFault(fault: { faultCode: number; faultString: unknown }): string;
  };
  export default serializer;
}

declare module 'xmlrpc/lib/deserializer.js' {
  import type { Readable } from 'node:stream';

  class Deserializer {
    constructor(encoding?: string);
    deserializeMethodCall(
      stream: Readable,
      callback: (error: Error | null | undefined, method: string, parameters: unknown[]) => void,
    ): void;
    /** Of the XML. */
    protected parser: { on(event: 'doctype', listener: () => void): void };
    protected onError(message: string): void;
    /** Throws for what is no integer. */
    protected endInt(text: string): void;
  }
  export default Deserializer;
}

declare module 'xmlrpc/lib/client.js' {
  interface ClientOptions {
    host: string;
    port: number;
    path: string;
    headers?: Record<string, string>;
    basic_auth?: { user: string; pass: string };
    /** The options go to http.request as they are. */
    signal?: AbortSignal;
  }
  class Client {
    constructor(options: ClientOptions, isSecure: boolean);
    methodCall(
      method: string,
      parameters: unknown[],
      callback: (
        error:
          | (Error & { syscall?: unknown; faultCode?: unknown; faultString?: unknown; res?: { statusCode?: number } })
          | null
          | undefined,
        value: unknown,
      ) => void,
    ): void;
  }
  export default Client;
}
