// XML-RPC, for any client: values, faults, answering and calling.
export type XmlRpcValue =
  | string
  | number
  | boolean
  | Date
  | Uint8Array
  | XmlRpcValue[]
  | { [key: string]: XmlRpcValue }
  | null;

export type XmlRpcMethods = Record<string, (...parameters: XmlRpcValue[]) => Promise<XmlRpcValue>>;

export class XmlRpcFault extends Error {
  override readonly name = 'XmlRpcFault';
  constructor(
    readonly faultCode: number,
    message: string,
  ) {
    super(message);
  }
}
