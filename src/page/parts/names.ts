// Names of files for people's eyes: text where the bytes are text, and whatever
// could mislead the eye as an escape.
import type { FileName } from '../../protocol/services/files.js';

/** Control characters, and those that turn the direction of what follows. */
const MISLEADING = /[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\ufeff]/gu;
/** One character of UTF-8, as bytes; two to four of them where it is not ASCII. */
const UTF8_CHARACTER =
  /[\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/y;

/** Bytes that are no UTF-8 as \xNN, characters that one can't see as \u{N}. */
export function shownName(name: FileName): string {
  let shown = '';
  for (let at = 0; at < name.length; ) {
    UTF8_CHARACTER.lastIndex = at;
    const found = UTF8_CHARACTER.exec(name)?.[0];
    if (found === undefined) {
      shown += `\\x${name.charCodeAt(at).toString(16).padStart(2, '0')}`;
      at++;
    } else {
      shown += textOf(found);
      at += found.length;
    }
  }
  return shown.replace(MISLEADING, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

function textOf(bytes: FileName): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}
