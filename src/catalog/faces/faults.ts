// What the catalog refuses, as a fault of XML-RPC: its text begins with the code.
import { FAULT_CODES, XmlRpcFault, type XmlRpcMethods } from '../../protocol/http/xml-rpc.js';
import { CatalogError, type CatalogErrorCode } from '../map/errors.js';

const CODES: Partial<Record<CatalogErrorCode, number>> = {
  NOT_LEADER: 1,
  CRASHED: 2,
  BAD_REQUEST: FAULT_CODES.BAD_PARAMETERS,
  BAD_PATH: FAULT_CODES.BAD_PARAMETERS,
};

/** The same methods, under their names and, besides, under `surfstore.` and their names. */
export function withFaults(methods: XmlRpcMethods): XmlRpcMethods {
  const all: XmlRpcMethods = {};
  for (const [name, method] of Object.entries(methods)) {
    const answering: typeof method = async (...parameters) => {
      try {
        if (parameters.length > method.length) {
          throw new CatalogError(
            'BAD_REQUEST',
            `${name} takes ${method.length} parameters, and not ${parameters.length}`,
          );
        }
        return await method(...parameters);
      } catch (error) {
        if (!(error instanceof CatalogError)) throw error;
        throw new XmlRpcFault(CODES[error.code] ?? FAULT_CODES.FAILED, `${error.code}: ${error.message}`);
      }
    };
    all[name] = answering;
    all[`surfstore.${name}`] = answering;
  }
  return all;
}
