// What is logged, and whole maps, as bytes.
import { Packr } from 'msgpackr';
import type { Logged, MapContent } from './catalog-map.js';

const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true, copyBuffers: true });

export function encodeLogged(logged: Logged): Uint8Array {
  return packr.pack(logged);
}

/** Of bytes that encodeLogged has made. */
export function decodeLogged(bytes: Uint8Array): Logged {
  return packr.unpack(bytes) as Logged;
}

export function encodeContent(content: MapContent): Uint8Array {
  return packr.pack(content);
}

export function decodeContent(bytes: Uint8Array): MapContent {
  return packr.unpack(bytes) as MapContent;
}
