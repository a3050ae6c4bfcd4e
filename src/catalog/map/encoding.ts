// What is logged, and whole maps, as bytes.
import { Packr } from 'msgpackr';
import type { Logged, MapPart } from './catalog-map.js';

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, copyBuffers: true });

export function encodeLogged(logged: Logged): Uint8Array {
  return packr.pack(logged);
}

/** Of bytes that encodeLogged has made. */
export function decodeLogged(bytes: Uint8Array): Logged {
  return packr.unpack(bytes) as Logged;
}

export function encodePart(part: MapPart): Uint8Array {
  return packr.pack(part);
}

/** Of bytes that encodePart has made. */
export function decodePart(bytes: Uint8Array): MapPart {
  return packr.unpack(bytes) as MapPart;
}
