// Memory that its receiver gives back to be used again. Never giving it back is
// safe too: then the garbage collector takes it.

const lenders = new WeakMap<object, () => void>();

/** The receiver of `thing` may give it back, once, and must not look at it afterwards. */
export function lend<T extends object>(thing: T, takeBack: () => void): T {
  lenders.set(thing, takeBack);
  return thing;
}

/** Gives lent memory back; nothing happens with anything else. */
export function giveBack(thing: object): void {
  const takeBack = lenders.get(thing);
  if (takeBack === undefined) return;
  lenders.delete(thing);
  takeBack();
}
